/** Three neurons on the visitor's input: membranes, spikes, and where the charge went. */
import { computed, useSignal } from '@preact/signals';
import { useCallback } from 'preact/hooks';
import { Figure } from '../../ui/figure.tsx';
import { decimal } from '../../ui/format.ts';
import { explain, explainStart, titleOf } from './explain.ts';
import { InputEditor } from './input-editor.tsx';
import { drawMembrane } from './membrane-plot.ts';
import { account, labNeuron, NEURONS, observe, type LabNeuron, type Moment } from './neurons.ts';
import { sequence, settings, shown } from './state.ts';
import { StepBar } from './step-bar.tsx';

export const COLOURS = { if: 'var(--orange)', gif: 'var(--blue)', ternary: 'var(--violet)' } as const;

interface Observed {
  readonly neuron: LabNeuron;
  readonly moments: readonly Moment[];
}

const observed = computed<readonly Observed[]>(() =>
  NEURONS.map((name) => {
    const neuron = labNeuron(name, settings.value);
    return { neuron, moments: observe(neuron, sequence.value, settings.value.leak) };
  }),
);

/** Of all membranes, and half a threshold beyond the first one. */
const domain = computed<readonly [number, number]>(() => {
  const held = observed.value.flatMap(({ neuron, moments }) => [
    neuron.start,
    ...moments.flatMap(({ charged, after }) => [charged, after]),
  ]);
  const { threshold } = settings.value;
  return [Math.min(-threshold, ...held), Math.max(1.5 * threshold, ...held)];
});

export function Membranes() {
  const playing = useSignal(false);
  return (
    <section class="panel stack" aria-labelledby="membranes">
      <div>
        <h2 id="membranes">Membrane and spikes</h2>
        <p class="soft">
          Each step charges the membrane with the input, fires if a threshold (dashed) is reached, and resets:
          the drop from the full dot to the hollow one. A GIF neuron merges L steps of an IF neuron and fires
          up to L levels at once; a ternary one merges a positive and a negative IF neuron.
        </p>
      </div>
      <InputEditor />
      <StepBar onPlaying={(on) => (playing.value = on)} />
      <div class="columns neurons" aria-live={playing.value ? 'off' : 'polite'}>
        {observed.value.map((one) => (
          <NeuronView key={one.neuron.neuron} {...one} />
        ))}
      </div>
      <Charges />
    </section>
  );
}

function NeuronView({ neuron, moments }: Observed) {
  const { value: membraneDomain } = domain;
  const { value: step } = shown;
  const title = titleOf(neuron.neuron, settings.value.leak);
  const draw = useCallback(
    (width: number) =>
      drawMembrane(
        { neuron, moments, shown: step, domain: membraneDomain, colour: COLOURS[neuron.neuron] },
        width,
      ),
    [neuron, moments, step, membraneDomain],
  );
  const seen = moments.slice(0, step);
  return (
    <div>
      <Figure
        title={title}
        description={`Membrane and spikes of the ${title} neuron; spikes of ${step} steps: ${seen
          .map(({ spikes }) => decimal(spikes))
          .join(' ')}`}
        draw={draw}
        rows={() => seen.map((moment) => ({ ...moment }))}
      />
      <p class="sentence">
        {step === 0
          ? explainStart(neuron)
          : `Step ${step}: ${explain(neuron, moments[step - 1], settings.value)}`}
      </p>
    </div>
  );
}

function Charges() {
  const { leak, reset, threshold } = settings.value;
  const { value: step } = shown;
  return (
    <div>
      <div class="scroll" role="region" tabIndex={0} aria-label="Where the charge went">
        <table>
          <caption>Where the charge went, after step {step}</caption>
          <thead>
            <tr>
              <th scope="col">Neuron</th>
              <th scope="col">Spikes</th>
              <th scope="col">Silent steps</th>
              <th scope="col">Received, Σx</th>
              <th scope="col">Sent, θΣs</th>
              <th scope="col">Left in membrane</th>
              <th scope="col">Lost</th>
              <th scope="col">Bits stored</th>
            </tr>
          </thead>
          <tbody>
            {observed.value.map(({ neuron, moments }) => {
              const sums = account(neuron, moments.slice(0, step), threshold);
              return (
                <tr key={neuron.neuron}>
                  <th scope="row">{titleOf(neuron.neuron, leak)}</th>
                  <td>{sums.fired}</td>
                  <td>{sums.silentSteps}</td>
                  <td>{decimal(sums.received)}</td>
                  <td>{decimal(sums.sent)}</td>
                  <td>{decimal(sums.membrane)}</td>
                  <td>{decimal(sums.lost)}</td>
                  <td>{sums.storedBits}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="help">
        {reset === 'soft' && leak === 0
          ? 'With soft reset and no leak no charge is lost: what came in, and the head start of θ/2 of IF and GIF, was sent or is still there.'
          : `${reset === 'hard' ? 'A hard reset throws away what is above the threshold' : 'The leak takes charge'}${
              reset === 'hard' && leak > 0 ? ', and the leak takes charge' : ''
            }: neither the spikes nor the membrane have it any more.`}{' '}
        A spike of m levels counts as m.
      </p>
    </div>
  );
}
