import { NumberField, Select, Slider } from '../../ui/controls.tsx';
import { decimal } from '../../ui/format.ts';
import { BitsPanel } from './bits-panel.tsx';
import { Membranes } from './membranes.tsx';
import './room.css';
import { StaircasePanel } from './staircase-panel.tsx';
import * as state from './state.ts';

export function Room() {
  return (
    <div class="neuron-lab">
      <h1>Neuron lab</h1>
      <p class="soft">
        A SpikeLLM (<a href="https://arxiv.org/abs/2407.04752">arXiv 2407.04752</a>) sends its activations as
        short trains of multi-level spikes. Here are its neurons on an input of your own, and why their spikes
        are a quantiser.
      </p>
      <div class="room">
        <Controls />
        <div class="stack">
          <Membranes />
          <StaircasePanel />
          <BitsPanel />
        </div>
      </div>
    </div>
  );
}

function Controls() {
  const { choice, own, seed, steps, levels, threshold, leak, reset } = state;
  const drawn = choice.value === 'own' || own.value.length > 0;
  return (
    <section class="panel lab-controls" aria-label="Input and neurons">
      <Select
        label="Input"
        signal={choice}
        choices={state.CHOICES.filter((name) => drawn || name !== 'own')}
        names={{ own: 'your own' }}
        help="A shape to start from; an edit makes it your own."
      />
      {choice.value === 'noise' && (
        <NumberField label="Seed" signal={seed} min={0} max={9999} help="Another seed, other noise." />
      )}
      <Slider
        label="Steps T"
        signal={steps}
        min={1}
        max={state.MOST_STEPS}
        help="Time steps of the spike train."
      />
      <Slider
        label="Levels L"
        signal={levels}
        min={1}
        max={state.MOST_LEVELS}
        help="The largest spike of a GIF step, which merges L IF steps."
      />
      <Slider
        label="Threshold θ"
        signal={threshold}
        min={0.25}
        max={2}
        step={0.125}
        show={(theta) => decimal(theta)}
        help="The charge of one level, in units of the input."
      />
      <Slider
        label="Leak"
        signal={leak}
        min={0}
        max={0.9}
        step={0.05}
        show={(part) => `${decimal(100 * part)} %`}
        help="The part of the membrane lost each step: 0 is IF, more is LIF. SpikeLLM has none."
      />
      <Select
        label="Reset"
        signal={reset}
        choices={['soft', 'hard']}
        names={{ soft: 'soft: v − s θ', hard: 'hard: 0' }}
        help="Soft takes away what was fired and keeps the rest; hard empties the membrane."
      />
    </section>
  );
}
