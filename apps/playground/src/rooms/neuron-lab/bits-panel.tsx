/** Bits of spikes that carry the same codes. */
import { computed } from '@preact/signals';
import * as Plot from '@observablehq/plot';
import { bitsPerActivation } from '@spikellm/neurons';
import { Slider } from '../../ui/controls.tsx';
import { Figure } from '../../ui/figure.tsx';
import { decimal } from '../../ui/format.ts';
import { bitCount, type BitCount } from './bits.ts';
import { spikeBits } from './neurons.ts';
import { levels, salient, steps } from './state.ts';

const SERIES = [
  { key: 'binary', name: 'IF', colour: 'var(--orange)' },
  { key: 'stored', name: 'GIF, stored', colour: 'var(--violet)' },
  { key: 'merged', name: 'GIF, paper', colour: 'var(--blue)' },
  { key: 'code', name: 'the code', colour: 'var(--grey)' },
] as const;

const counts = computed(() =>
  Array.from({ length: Math.max(8, Math.ceil(1.25 * steps.value)) }, (_, t) => bitCount(t + 1, levels.value)),
);

const draw = computed(() => {
  const all = counts.value;
  const chosen = all[steps.value - 1];
  // With one level a GIF neuron is an IF neuron.
  const series = SERIES.filter(({ key }) => levels.value > 1 || key === 'binary' || key === 'code');
  return (width: number) =>
    Plot.plot({
      width,
      height: 300,
      marginLeft: 44,
      marginRight: 14,
      marginTop: 24,
      marginBottom: 38,
      style: { fontSize: '11px' },
      x: {
        label: 'codes to tell apart, T L + 1',
        labelAnchor: 'center',
        labelArrow: 'none',
        ticks: 6,
        tickSize: 3,
      },
      y: { label: 'bits', labelArrow: 'none', grid: true, ticks: 6, zero: true },
      marks: [
        Plot.ruleY([0]),
        Plot.ruleX([chosen.codes], { strokeOpacity: 0.4, strokeDasharray: '3 3' }),
        ...series.map(({ key, colour }) =>
          Plot.line(all, {
            x: 'codes',
            y: key,
            stroke: colour,
            strokeWidth: 1.6,
            marker: 'dot',
          }),
        ),
        Plot.tip(all, Plot.pointerX({ x: 'codes', y: 'binary', title: tipOf })),
      ],
    });
});

const tipOf = ({ steps: T, codes, binary, merged, stored, code }: BitCount): string =>
  [
    `${codes} codes, T = ${T}`,
    `IF ${binary} bits`,
    ...(merged === null ? [] : [`GIF, stored ${stored} bits`, `GIF, paper ${decimal(merged, 2)} bits`]),
    `the code ${decimal(code, 2)} bits`,
  ].join('\n');

export function BitsPanel() {
  const { value: T } = steps;
  const { value: L } = levels;
  const { binary, merged, stored, code, codes } = counts.value[T - 1];
  const n = spikeBits(L);
  const rows = [
    ['IF', `T L × 1 = ${binary} × 1`, binary],
    ...(merged === null
      ? []
      : [
          ['GIF, stored', `T × n = ${T} × ${n}`, stored],
          ['GIF, paper', `T × log₂ L = ${T} × ${decimal(Math.log2(L), 2)}`, merged],
        ]),
    ['the code', `n + log₂ T = ${n} + ${decimal(Math.log2(T), 2)}`, code],
  ] as const;
  return (
    <section class="panel stack" aria-labelledby="bits">
      <div>
        <h2 id="bits">Bits used</h2>
        <p class="soft">
          To tell T L + 1 codes apart an IF neuron needs T L steps of one bit. A GIF neuron merges every L of
          them into one step: bits grow by log₂ L where they grew by L.
          {L === 1 && ' With L = 1 the GIF neuron is the IF neuron; choose more levels to see them part.'}
        </p>
      </div>
      <div class="columns">
        <Figure
          title="Bits of one activation"
          description={`Bits that carry a number of codes in IF steps and in GIF steps of ${L} levels`}
          draw={draw.value}
          rows={() => counts.value.map((one) => ({ ...one }))}
        >
          {SERIES.filter(({ key }) => L > 1 || key === 'binary' || key === 'code').map(
            ({ key, name, colour }) => (
              <span key={key} class="legend">
                <span class="key" style={{ background: colour }} /> {name}{' '}
              </span>
            ),
          )}
        </Figure>
        <div>
          <div class="scroll" role="region" tabIndex={0} aria-label="Bits of one activation, as a table">
            <table>
              <caption>
                {codes} codes: T = {T}, L = {L}
              </caption>
              <thead>
                <tr>
                  <th scope="col">Sent as</th>
                  <th scope="col">Count</th>
                  <th scope="col">Bits</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(([name, how, bits]) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>{how}</td>
                    <td>{decimal(Number(bits), 2)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="help">
            A GIF step has the L + 1 values 0 to L, which n = {n} whole bits hold; the paper counts log₂ L.
            The code is what the spikes say: a number of n + log₂ T bits.
          </p>
          <SalientBits />
        </div>
      </div>
    </section>
  );
}

/** The average over a layer of which only some channels take T steps. */
function SalientBits() {
  const bits = spikeBits(levels.value);
  const average = bitsPerActivation({ bits, steps: steps.value, salient: salient.value });
  return (
    <div class="salient">
      <Slider
        label="Salient channels p"
        signal={salient}
        min={0}
        max={1}
        step={0.01}
        show={(p) => `${decimal(100 * p)} %`}
        help="In a network only salient channels take T steps; all others take one."
      />
      <p class="soft small" role="status">
        On average n ((1 − p) + p T) = <strong>{decimal(average.transmitted, 2)}</strong> bits of spikes an
        activation, which carry n + p log₂ T = <strong>{decimal(average.information, 2)}</strong> bits, n ={' '}
        {bits}.
      </p>
    </div>
  );
}
