import { MAX_WEIGHT_STEPS, SpikeError, type GifRange } from '@spikellm/backend';
import {
  DEFAULT_GPTQ,
  WEIGHT_KINDS,
  WEIGHT_STEP_CHOICES,
  WEIGHT_UNITS,
  type GptqSettings,
} from './gptq/settings.ts';
import { DEFAULT_TRAINING, INITIAL_SCALES, type TrainingSettings } from './omniquant/settings.ts';
import { FLOAT_BITS, KEY_QUANTISERS, type KeyQuantiser, type SpikingConfig } from '@spikellm/graph';

export const PIPELINES = ['rtn', 'smoothquant', 'omniquant', 'gptq'] as const;
export const SALIENCY_METRICS = ['published', 'random', 'fisher'] as const;
export const ROTATIONS = ['none', 'hadamard'] as const;
export const GRANULARITIES = ['channel', 'linear'] as const;

/** Everything that decides what a quantised model is, but for the model and the calibration text. */
export interface QuantizeSettings {
  readonly pipeline: (typeof PIPELINES)[number];
  /** 2 to 8. */
  readonly weightBits: number;
  /** Bits of embedding and head: 8 with a scale and a zero point a row, or 16 for the float type of the source. */
  readonly headBits: 8 | 16;
  /** Bits of one spike, 2 to 8; 16 leaves activations and the KV cache in float. */
  readonly activationBits: number;
  /** Spike steps of salient channels: 1, 2 or 4; 1 is plain quantisation. */
  readonly steps: number;
  /** Share of the channels of each linear, and of the cached channels of each layer, that are salient: 0 to 1. */
  readonly salient: number;
  /**
   * `published` and `random` give every linear and cache its share. `fisher` spends the same extra operations wherever in
   * the model they lower the loss most.
   */
  readonly saliency: (typeof SALIENCY_METRICS)[number];
  /** What `fisher` gives steps to: single channels, or all channels of an input together. */
  readonly granularity: (typeof GRANULARITIES)[number];
  readonly range: GifRange;
  readonly key: KeyQuantiser;
  /** One set of salient channels for linears that share an input, or one for each linear as published. */
  readonly mask: 'shared' | 'own';
  /** `hadamard` rotates the float model first, so that outliers are spread over all channels. */
  readonly rotate: (typeof ROTATIONS)[number];
  /** Draws the calibration windows, the random control and the signs of rotations. */
  readonly seed: number;
  /** Of the omniquant pipeline. */
  readonly training: TrainingSettings;
  /** Of the gptq pipeline. */
  readonly gptq: GptqSettings;
}

/** W4A4 with two steps for one channel in ten. */
export const DEFAULT_SETTINGS: QuantizeSettings = {
  pipeline: 'rtn',
  weightBits: 4,
  headBits: 16,
  activationBits: 4,
  steps: 2,
  salient: 0.1,
  saliency: 'published',
  granularity: 'channel',
  range: 'lossless',
  key: 'block',
  mask: 'shared',
  rotate: 'none',
  seed: 0,
  training: DEFAULT_TRAINING,
  gptq: DEFAULT_GPTQ,
};

/** Tokens in a block of the `block` key quantiser. */
export const KEY_BLOCK = 32;

const among =
  (values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);
const whole =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const DOMAINS: Record<
  Exclude<keyof QuantizeSettings, 'training' | 'gptq'>,
  readonly [expected: string, holds: (value: unknown) => boolean]
> = {
  pipeline: [PIPELINES.join(' or '), among(PIPELINES)],
  weightBits: ['a whole number from 2 to 8', whole(2, 8)],
  headBits: ['8 or 16', among([8, 16])],
  activationBits: [
    `a whole number from 2 to 8, or ${FLOAT_BITS} for float`,
    (value) => whole(2, 8)(value) || value === FLOAT_BITS,
  ],
  steps: ['1, 2 or 4', among([1, 2, 4])],
  salient: ['a number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1],
  saliency: [SALIENCY_METRICS.join(', '), among(SALIENCY_METRICS)],
  granularity: [GRANULARITIES.join(' or '), among(GRANULARITIES)],
  range: ['lossless or published', among(['lossless', 'published'])],
  key: [KEY_QUANTISERS.join(', '), among(KEY_QUANTISERS)],
  mask: ['shared or own', among(['shared', 'own'])],
  rotate: [ROTATIONS.join(' or '), among(ROTATIONS)],
  seed: ['a whole number from 0 to 2^32 - 1', whole(0, 2 ** 32 - 1)],
};

const rate = [
  'a number above 0, at most 1',
  (value: unknown) => typeof value === 'number' && value > 0 && value <= 1,
] as const;
const TRAINING_DOMAINS: Record<
  keyof TrainingSettings,
  readonly [expected: string, holds: (value: unknown) => boolean]
> = {
  epochs: ['a whole number from 0 to 1000', whole(0, 1000)],
  alpha: ['a number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1],
  initialScales: [INITIAL_SCALES.join(' or '), among(INITIAL_SCALES)],
  scaleRate: rate,
  clippingRate: rate,
  schedule: ['constant or cosine', among(['constant', 'cosine'])],
  augmentedLoss: ['true or false', among([true, false])],
};

const MOST_BOUGHT = WEIGHT_STEP_CHOICES.at(-1)!;
const GPTQ_DOMAINS: Record<
  keyof GptqSettings,
  readonly [expected: string, holds: (value: unknown) => boolean]
> = {
  damping: ['a number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1],
  actOrder: ['true or false', among([true, false])],
  weights: [WEIGHT_KINDS.join(' or '), among(WEIGHT_KINDS)],
  weightSteps: [`a whole number from 1 to ${MAX_WEIGHT_STEPS}`, whole(1, MAX_WEIGHT_STEPS)],
  salientSteps: [`a whole number from 1 to ${MAX_WEIGHT_STEPS}`, whole(1, MAX_WEIGHT_STEPS)],
  salientWeights: ['a number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1],
  equalSteps: [
    `a number from 1 to ${MOST_BOUGHT}`,
    (value) => value === undefined || (typeof value === 'number' && value >= 1 && value <= MOST_BOUGHT),
  ],
  weightGroup: [
    'a whole number of columns, 1 or more',
    (value) => value === undefined || whole(1, 2 ** 31 - 1)(value),
  ],
  weightUnit: [WEIGHT_UNITS.join(' or '), among([undefined, ...WEIGHT_UNITS])],
};

/** Errors: INVALID_ARGUMENT for the first setting outside its domain. */
export function checkSettings(settings: QuantizeSettings): void {
  const { pipeline, training, gptq } = settings;
  const own = { omniquant: TRAINING_DOMAINS, gptq: GPTQ_DOMAINS, rtn: {}, smoothquant: {} }[pipeline];
  const domains = { ...DOMAINS, ...own };
  const values: Readonly<Record<string, unknown>> = { ...training, ...gptq, ...settings };
  for (const [name, [expected, holds]] of Object.entries(domains)) {
    const value = values[name];
    if (!holds(value)) {
      throw new SpikeError('INVALID_ARGUMENT', { where: name, expected, received: String(value) });
    }
  }
  checkWeightKind(settings);
  if (settings.granularity !== 'channel' && settings.saliency !== 'fisher') {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'granularity',
      expected: `channel, which ${settings.saliency} saliency ranks`,
      received: settings.granularity,
      remedy: 'take fisher saliency for whole linears',
    });
  }
}

/** Errors: INVALID_ARGUMENT for ternary weights where nothing makes them, and settings that do not go together. */
function checkWeightKind({ pipeline, gptq }: QuantizeSettings): void {
  const { weights, equalSteps, weightGroup, weightUnit, weightSteps, salientSteps } = gptq;
  if (weights === 'ternary' && pipeline !== 'gptq') {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'weights',
      expected: `integer with the ${pipeline} pipeline`,
      received: weights,
      remedy: 'take the gptq pipeline',
    });
  }
  const refuse = (where: string, expected: string, received: unknown, remedy: string): never => {
    throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(received), remedy });
  };
  if (weights === 'integer') {
    const [where, received] = Object.entries({ equalSteps, weightGroup }).find(
      ([, value]) => value !== undefined,
    ) ?? ['weightUnit', weightUnit];
    if (received === undefined || received === 'channel') return;
    refuse(where, 'none with integer weights', received, 'take ternary weights');
  }
  if (weightUnit !== 'element') return;
  if (equalSteps !== undefined) {
    const remedy = 'say with salientWeights how many weights have salientSteps';
    refuse('equalSteps', 'none where single weights are the unit', equalSteps, remedy);
  }
  if (salientSteps <= weightSteps) {
    const expected = `more than the ${weightSteps} of other weights, where single weights are the unit`;
    refuse('salientSteps', expected, salientSteps, 'take more, or channels as the unit');
  }
}

/** Whether salient channels are wanted, so that calibration has to look at activations. */
export const hasSalience = ({ activationBits, steps, salient }: QuantizeSettings): boolean =>
  activationBits < FLOAT_BITS && steps > 1 && salient > 0;

/** Whether calibration has to score the channels of each linear. */
export const needsScores = (settings: QuantizeSettings): boolean =>
  hasSalience(settings) && settings.saliency === 'published';

/** Whether calibration has to find the gradients of the loss. */
export const needsGradients = (settings: QuantizeSettings): boolean =>
  hasSalience(settings) && settings.saliency === 'fisher';

/** Whether the KV cache spikes. */
export const spikesInCache = ({ activationBits, key }: QuantizeSettings): boolean =>
  activationBits < FLOAT_BITS && key !== 'float';

/**
 * Steps of salient cached channels. The research code gives the KV cache one extra bit whatever the linears have, so
 * two steps is all there is in the published range.
 */
export const cacheSteps = ({ range, steps }: QuantizeSettings): number =>
  range === 'published' ? Math.min(steps, 2) : steps;

function weightFormat({ pipeline, weightBits, gptq }: QuantizeSettings): SpikingConfig['weights'] {
  if (pipeline !== 'gptq' || gptq.weights === 'integer') return { bits: weightBits, symmetric: false };
  const { equalSteps, weightSteps, salientSteps, weightGroup, weightUnit } = gptq;
  const steps = equalSteps === undefined ? [weightSteps, salientSteps] : WEIGHT_STEP_CHOICES;
  return {
    kind: 'ternary',
    steps: [...new Set(steps)].toSorted((a, b) => a - b),
    ...(weightGroup !== undefined && { group: weightGroup }),
    ...(weightUnit === 'element' && { unit: weightUnit }),
  };
}

/** The `quantization_config` of a model with these settings. */
export function spikingConfig(settings: QuantizeSettings): SpikingConfig {
  const salience = hasSalience(settings);
  const { activationBits } = settings;
  return {
    quant_method: 'spikellm',
    format_version: settings.rotate === 'none' ? 1 : 2,
    pipeline: settings.pipeline,
    weights: weightFormat(settings),
    ...(settings.headBits < FLOAT_BITS && { embeddings: { bits: settings.headBits } }),
    activations: {
      bits: activationBits,
      steps: salience ? settings.steps : 1,
      range: settings.range,
      saliency: salience ? settings.saliency : 'none',
      salient_fraction: salience ? settings.salient : 0,
      mask: settings.mask,
      ...(needsGradients(settings) ? { granularity: settings.granularity } : {}),
    },
    kv: {
      key: spikesInCache(settings) ? settings.key : 'float',
      bits: activationBits,
      steps: salience ? cacheSteps(settings) : 1,
      block: KEY_BLOCK,
    },
  };
}
