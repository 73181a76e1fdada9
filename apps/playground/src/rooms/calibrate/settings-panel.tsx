import { PIPELINES, ROTATIONS, SALIENCY_METRICS, STEP_CHOICES, WEIGHT_KINDS } from '@spikellm/calibration';
import { chosen, CAUSAL_KEYS } from '../../engine/settings.ts';
import { NumberField, Select, Slider } from '../../ui/controls.tsx';
import { PIPELINE_NAMES } from '../../engine/titles.ts';

const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** The settings of the spiking model, those that play no part greyed out. */
export function SettingsPanel() {
  const { pipeline, weights, steps, salient } = chosen;
  const trains = pipeline.value === 'omniquant';
  const gptq = pipeline.value === 'gptq';
  const ternary = gptq && weights.value === 'ternary';
  const plain = steps.value === 1;
  return (
    <section class="panel" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <Select label="Pipeline" signal={pipeline} choices={PIPELINES} names={PIPELINE_NAMES} />
      {trains && (
        <Slider
          label="Epochs of training"
          signal={chosen.epochs}
          min={1}
          max={20}
          help="Passes of all windows through each layer."
        />
      )}
      {gptq && (
        <Select
          label="Weights"
          signal={weights}
          choices={WEIGHT_KINDS}
          names={{ integer: 'whole numbers', ternary: 'ternary spikes' }}
        />
      )}
      {ternary ? (
        <Slider
          label="Mean steps of a weight"
          signal={chosen.equalSteps}
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
        choices={STEP_CHOICES}
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
        choices={SALIENCY_METRICS}
        names={{ published: 'published (OBS)', fisher: 'fisher, one budget' }}
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
