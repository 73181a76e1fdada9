/** The settings of the spiking model, in the URL of every room: a link to a text says which model spoke it. */
import { computed } from '@preact/signals';
import {
  DEFAULT_SETTINGS,
  PIPELINES,
  ROTATIONS,
  SALIENCY_METRICS,
  STEP_CHOICES,
  WEIGHT_KINDS,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { numberIn, oneNumberOf, oneOf, urlSignal, wholeIn } from '../url-state.ts';

/** Keys of the KV cache that a text can be generated with; `published` sees later tokens. */
export const CAUSAL_KEYS = ['block', 'token', 'float'] as const;

const { pipeline, weightBits, activationBits, steps, salient, saliency, rotate, seed, gptq } =
  DEFAULT_SETTINGS;

/** One signal a setting that the page offers; those it does not are the defaults of the command line. */
export const chosen = {
  pipeline: urlSignal('all', 'pipeline', pipeline, oneOf(...PIPELINES)),
  weightBits: urlSignal('all', 'wbits', weightBits, wholeIn(2, 8)),
  activationBits: urlSignal('all', 'abits', activationBits, wholeIn(2, 8)),
  steps: urlSignal('all', 'steps', steps, oneNumberOf(...STEP_CHOICES)),
  salient: urlSignal('all', 'salient', salient, numberIn(0, 1)),
  saliency: urlSignal('all', 'saliency', saliency, oneOf(...SALIENCY_METRICS)),
  key: urlSignal('all', 'kv', 'block', oneOf(...CAUSAL_KEYS)),
  rotate: urlSignal('all', 'rotate', rotate, oneOf(...ROTATIONS)),
  weights: urlSignal('all', 'weights', gptq.weights, oneOf(...WEIGHT_KINDS)),
  /** Mean steps of a ternary weight. */
  equalSteps: urlSignal('all', 'equal-steps', 1.7, numberIn(1, 4)),
  /** Of layer-wise training; two show what it does within minutes. */
  epochs: urlSignal('all', 'epochs', 2, wholeIn(1, 20)),
  seed: urlSignal('all', 'seed', seed, wholeIn(0, 2 ** 32 - 1)),
  /** Calibration windows. */
  samples: urlSignal('all', 'samples', 8, wholeIn(1, 64)),
};

/** What the worker is asked to make. */
export interface SpikingRequest {
  readonly settings: QuantizeSettings;
  readonly samples: number;
}

/** The choice as a whole. A choice that another one rules out is left out: ternary weights need the gptq pipeline. */
export const request = computed<SpikingRequest>(() => {
  const ternary = chosen.pipeline.value === 'gptq' && chosen.weights.value === 'ternary';
  return {
    samples: chosen.samples.value,
    settings: {
      ...DEFAULT_SETTINGS,
      pipeline: chosen.pipeline.value,
      weightBits: chosen.weightBits.value,
      activationBits: chosen.activationBits.value,
      steps: chosen.steps.value,
      salient: chosen.salient.value,
      saliency: chosen.saliency.value,
      key: chosen.key.value,
      rotate: chosen.rotate.value,
      seed: chosen.seed.value,
      training: { ...DEFAULT_SETTINGS.training, epochs: chosen.epochs.value },
      gptq: ternary ? { ...gptq, weights: 'ternary', equalSteps: chosen.equalSteps.value } : gptq,
    },
  };
});
