import { ROTATIONS, STEP_COUNTS, WEIGHT_KINDS } from '@spikellm/calibration';
import {
  CAUSAL_KEYS,
  chosen,
  hasOwn,
  METRIC_NAMES,
  PIPELINE_NAMES,
  weightsSpike,
} from '../../engine/settings.ts';
import { METRIC_TITLES, PIPELINE_TITLES } from '../../engine/titles.ts';
import { NumberField, Select, Slider } from '../../ui/controls.tsx';

const weightTitles = (): Record<string, string> =>
  Object.fromEntries(
    WEIGHT_KINDS.map((kind) => [kind, weightsSpike(kind) ? `${kind} spikes` : 'whole numbers']),
  );

const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** The settings of the spiking model, those that play no part greyed out. */
export function SettingsPanel() {
  const { pipeline, weights, steps, salient } = chosen;
  const plain = steps.value === 1;
  return (
    <section class="panel" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <Select label="Pipeline" signal={pipeline} choices={PIPELINE_NAMES} names={PIPELINE_TITLES} />
      {hasOwn('epochs') && (
        <Slider
          label="Epochs of training"
          signal={chosen.epochs}
          min={1}
          max={20}
          help="Passes of all windows through each layer."
        />
      )}
      {hasOwn('weights') && (
        <Select label="Weights" signal={weights} choices={WEIGHT_KINDS} names={weightTitles()} />
      )}
      {weightsSpike(weights.value) ? (
        <Slider
          label="Mean steps of a weight"
          signal={chosen.meanSteps}
          min={1}
          max={4}
          step={0.05}
          show={(value) => value.toFixed(2)}
        />
      ) : (
        <Slider label="Weight bits" signal={chosen.weightBits} min={2} max={8} />
      )}
      <Slider label="Activation bits" signal={chosen.activationBits} min={2} max={8} />
      <Select
        label="Steps T of salient channels"
        signal={steps}
        choices={STEP_COUNTS}
        names={{ 1: '1, plain quantisation' }}
      />
      <Slider
        label="Salient channels"
        signal={salient}
        min={0}
        max={1}
        step={0.01}
        show={percent}
        disabled={plain}
      />
      <Select
        label="Saliency"
        signal={chosen.saliency}
        choices={METRIC_NAMES}
        names={METRIC_TITLES}
        disabled={plain || salient.value === 0}
      />
      <Select
        label="Cached keys"
        signal={chosen.key}
        choices={CAUSAL_KEYS}
        names={{ block: 'per channel, blocks of 32 tokens', token: 'per token and head', float: 'in float' }}
      />
      <Select
        label="Rotation"
        signal={chosen.rotate}
        choices={ROTATIONS}
        names={{ hadamard: 'Hadamard, spreads outliers' }}
      />
      <div class="columns narrow">
        <NumberField label="Windows" signal={chosen.samples} min={1} max={64} />
        <NumberField label="Seed" signal={chosen.seed} min={0} max={2 ** 32 - 1} />
      </div>
      <p class="help">Calibration windows of at most 256 tokens, drawn from the bundled calibration text.</p>
    </section>
  );
}
