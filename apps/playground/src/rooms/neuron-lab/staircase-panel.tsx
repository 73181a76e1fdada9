/** One value in spikes beside the uniform quantiser. */
import { computed } from '@preact/signals';
import * as Plot from '@observablehq/plot';
import { Select } from '../../ui/controls.tsx';
import { Figure } from '../../ui/figure.tsx';
import { decimal } from '../../ui/format.ts';
import { TITLES, titleOf } from './explain.ts';
import { COLOURS } from './membranes.tsx';
import { NEURONS } from './neurons.ts';
import { stacked } from './stacked.ts';
import { compare, staircase, type Encoded } from './staircase.ts';
import { drive, leak, neuron, range, reset, settings, signed, steps } from './state.ts';

const points = computed(() =>
  staircase(
    { neuron: neuron.value, steps: steps.value, drive: drive.value, range: range.value },
    settings.value,
  ),
);

const draw = computed(() => {
  const encoded = points.value;
  const colour = COLOURS[neuron.value];
  const name = titleOf(neuron.value, leak.value);
  const step = settings.value.threshold / steps.value;
  return (width: number) =>
    stacked([values(encoded, name, colour, width), differences(encoded, step, width)]);
});

const MARGINS = { marginLeft: 44, marginRight: 12 };
const STYLE = { fontSize: '11px' };

function values(encoded: readonly Encoded[], name: string, colour: string, width: number) {
  return Plot.plot({
    width,
    height: 280,
    ...MARGINS,
    marginTop: 24,
    marginBottom: 10,
    style: STYLE,
    x: { axis: null },
    y: { label: 'decoded value (units of input)', labelArrow: 'none', ticks: 6, grid: true },
    marks: [
      Plot.ruleY([0], { strokeOpacity: 0.4 }),
      Plot.ruleX([0], { strokeOpacity: 0.4 }),
      Plot.line(encoded, {
        x: 'x',
        y: 'uniform',
        stroke: 'var(--grey)',
        strokeWidth: 6,
        strokeOpacity: 0.45,
      }),
      Plot.line(encoded, { x: 'x', y: 'decoded', stroke: colour, strokeWidth: 1.5 }),
      Plot.ruleX(encoded, Plot.pointerX({ x: 'x', strokeOpacity: 0.4 })),
      Plot.tip(
        encoded,
        Plot.pointerX({ x: 'x', y: 'decoded', title: (point: Encoded) => tipOf(point, name) }),
      ),
    ],
  });
}

const tipOf = ({ x, decoded, uniform, difference, spikes }: Encoded, name: string): string =>
  [
    `x = ${decimal(x, 4)}`,
    `${name} ${decimal(decoded, 4)}`,
    `uniform ${decimal(uniform, 4)}`,
    `difference ${decimal(difference, 4)}`,
    ...(spikes.length <= 16 ? [`spikes ${spikes.map((spike) => decimal(spike)).join(' ')}`] : []),
  ].join('\n');

function differences(encoded: readonly Encoded[], step: number, width: number) {
  const all = encoded.map(({ difference }) => difference);
  return Plot.plot({
    width,
    height: 130,
    ...MARGINS,
    marginTop: 24,
    marginBottom: 36,
    style: STYLE,
    x: { label: 'value x (units of input)', labelAnchor: 'center', labelArrow: 'none', tickSize: 3 },
    y: {
      domain: [Math.min(-step, ...all), Math.max(step, ...all)],
      label: 'difference (units of input)',
      labelArrow: 'none',
      ticks: 3,
      tickSize: 3,
    },
    marks: [
      Plot.ruleY([0], { strokeOpacity: 0.4 }),
      Plot.line(encoded, { x: 'x', y: 'difference', stroke: 'var(--red)', strokeWidth: 1.5 }),
      Plot.tip(
        encoded,
        Plot.pointerX({
          x: 'x',
          y: 'difference',
          title: ({ x, difference }: Encoded) => `x = ${decimal(x, 4)}\ndifference ${decimal(difference, 4)}`,
        }),
      ),
    ],
  });
}

export function StaircasePanel() {
  const name = titleOf(neuron.value, leak.value);
  return (
    <section class="panel stack" aria-labelledby="staircase">
      <div>
        <h2 id="staircase">One value, encoded</h2>
        <p class="soft">
          T steps of spikes carry one value: θ/T for every level fired. With soft reset and no leak that is
          the uniform quantiser of step θ/T, level by level (
          <a href="https://arxiv.org/abs/2407.04752">arXiv 2407.04752</a>
          ); so a quantised activation can be sent as spikes without loss.
        </p>
      </div>
      <div class="columns selects">
        <Select
          label="Neuron"
          signal={neuron}
          choices={NEURONS}
          names={TITLES}
          help="What turns the value into spikes."
        />
        <Select
          label="Drive"
          signal={drive}
          choices={['constant', 'once']}
          names={{ constant: 'x at every step', once: 'T x at the first step' }}
          help="How the value comes in; a network charges once."
        />
        <Select
          label="Range of codes"
          signal={range}
          choices={['lossless', 'saturating']}
          names={{ lossless: 'lossless: 0 to T L', saturating: 'saturating: 0 to T (L + 1) − 1' }}
          disabled={signed.value}
          help={
            signed.value
              ? 'A ternary train carries −T to T, all of it.'
              : 'The research code has T − 1 codes more than its spikes carry.'
          }
        />
      </div>
      <Verdict />
      <Figure
        title={`${name} and the uniform quantiser`}
        description={`Decoded value of ${name} spikes and of the uniform quantiser over the input, and their difference below`}
        draw={draw.value}
        rows={() => points.value.map(({ spikes, ...point }) => ({ ...point, spikes: spikes.join(' ') }))}
      >
        <span class="key" style={{ background: 'var(--grey)', height: '6px', opacity: 0.45 }} /> uniform
        quantiser <span class="key" style={{ background: COLOURS[neuron.value] }} /> {name}{' '}
        <span class="key" style={{ background: 'var(--red)' }} /> difference
      </Figure>
    </section>
  );
}

function Verdict() {
  const { values: tried, differing, largest, at } = compare(points.value);
  const { threshold } = settings.value;
  const off = decimal((largest * steps.value) / threshold, 2);
  const share = decimal((100 * differing) / tried, 1);
  return (
    <div class="verdict">
      <button type="button" onClick={() => (reset.value = reset.value === 'soft' ? 'hard' : 'soft')}>
        {reset.value === 'soft' ? 'See where hard reset breaks it' : 'Back to soft reset'}
      </button>
      <p role="status">
        Largest |difference| over {tried} values: <strong>{decimal(largest, 4)}</strong>
        {differing === 0
          ? ', exactly: every value gets the same code from both.'
          : `, ${off} steps of the quantiser, at x = ${decimal(at, 4)}; ${share} % of the values get another code: ${causes().join(', ')}.`}
      </p>
    </div>
  );
}

/** Why spikes may say something else than the quantiser. */
const causes = (): string[] => [
  ...(reset.value === 'hard' ? ['a hard reset throws away the charge above the threshold'] : []),
  ...(leak.value > 0 ? ['the leak takes charge before it is fired'] : []),
  ...(range.value === 'saturating' && !signed.value
    ? ['the spikes cannot carry the top T − 1 codes of the saturating range']
    : []),
];
