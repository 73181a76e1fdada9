/** The settings of the spiking model, in the URL of every room: a link to a text says which model spoke it. */
import { computed } from '@preact/signals';
import {
  DEFAULT_SETTINGS,
  pipelineOf,
  PIPELINES,
  ROTATIONS,
  spikingConfig,
  STEP_COUNTS,
  WEIGHT_KINDS,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { METRICS } from '@spikellm/saliency';
import { numberIn, oneNumberOf, oneOf, urlSignal, wholeIn } from '../url-state.ts';

/** Keys of the KV cache that a text can be generated with; `whole` sees later tokens. */
export const CAUSAL_KEYS = ['block', 'token', 'float'] as const;
export const PIPELINE_NAMES = PIPELINES.map(({ name }) => name);
export const METRIC_NAMES = METRICS.map(({ name }) => name);

const { pipeline, weightBits, activationBits, steps, salientFraction, rotate, seed } = DEFAULT_SETTINGS;

/** One signal a setting that the page offers; those it does not are the defaults of the command line. */
export const chosen = {
  pipeline: urlSignal('all', 'pipeline', pipeline, oneOf(...PIPELINE_NAMES)),
  weightBits: urlSignal('all', 'wbits', weightBits, wholeIn(2, 8)),
  activationBits: urlSignal('all', 'abits', activationBits, wholeIn(2, 8)),
  steps: urlSignal('all', 'steps', steps, oneNumberOf(...STEP_COUNTS)),
  salient: urlSignal('all', 'salient', salientFraction, numberIn(0, 1)),
  saliency: urlSignal('all', 'saliency', METRIC_NAMES[0], oneOf(...METRIC_NAMES)),
  key: urlSignal('all', 'kv', 'block', oneOf(...CAUSAL_KEYS)),
  rotate: urlSignal('all', 'rotate', rotate, oneOf(...ROTATIONS)),
  weights: urlSignal('all', 'weights', WEIGHT_KINDS[0], oneOf(...WEIGHT_KINDS)),
  /** Mean steps of a weight that spikes. */
  meanSteps: urlSignal('all', 'mean-steps', 1.7, numberIn(1, 4)),
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

/** Whether the chosen pipeline has a setting of its own of this name. */
export const hasOwn = (name: string): boolean =>
  name in (pipelineOf({ pipeline: chosen.pipeline.value }).fields as object);

/** Whether the chosen pipeline makes spikes of weights of this kind, whose steps are chosen in place of bits. */
export const weightsSpike = (weights: (typeof WEIGHT_KINDS)[number]): boolean =>
  hasOwn('weights') &&
  'steps' in
    spikingConfig({ ...DEFAULT_SETTINGS, pipeline: chosen.pipeline.value, options: { weights } }).weights;

/** The choice as a whole. What the pipeline has no setting for is left out. */
export const request = computed<SpikingRequest>(() => ({
  samples: chosen.samples.value,
  settings: {
    ...DEFAULT_SETTINGS,
    pipeline: chosen.pipeline.value,
    weightBits: chosen.weightBits.value,
    activationBits: chosen.activationBits.value,
    steps: chosen.steps.value,
    salientFraction: chosen.salient.value,
    saliency: chosen.saliency.value,
    key: chosen.key.value,
    rotate: chosen.rotate.value,
    seed: chosen.seed.value,
    options: {
      ...(hasOwn('epochs') && { epochs: chosen.epochs.value }),
      ...(hasOwn('weights') && { weights: chosen.weights.value }),
      ...(weightsSpike(chosen.weights.value) && { meanSteps: chosen.meanSteps.value }),
    },
  },
}));
