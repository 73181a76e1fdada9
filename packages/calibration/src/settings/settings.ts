/** Everything that decides what a quantised model is, but for the model and the calibration text. */
import type { GifRange } from '@spikellm/backend';
import { FLOAT_BITS, KEY_QUANTISERS, type KeyQuantiser } from '@spikellm/graph';
import { METRICS, metricOf, type SaliencyMetric } from '@spikellm/saliency';
import * as v from 'valibot';
import { choiceField, isWhole, numberField, shareField, type Fields, type SettingField } from './fields.ts';

export const ROTATIONS = ['none', 'hadamard'] as const;
export const GRANULARITIES = ['channel', 'linear'] as const;
export const STEP_COUNTS = [1, 2, 4] as const;

/** What all pipelines share. */
export interface CommonSettings {
  /** 2 to 8; 16 leaves weights in float. */
  readonly weightBits: number;
  /** Bits of embedding and head: 8 with a scale and a zero point a row, or 16 for the float type of the source. */
  readonly embeddingBits: number;
  /** Bits of one spike, 2 to 8; 16 leaves activations and the KV cache in float. */
  readonly activationBits: number;
  /** Spike steps of salient channels: 1, 2 or 4; 1 is plain quantisation. */
  readonly steps: number;
  /** Share of the channels of each linear, and of the cached channels of each layer, that are salient: 0 to 1. */
  readonly salientFraction: number;
  /**
   * What ranks channels: the name of a metric of @spikellm/saliency, or one of your own. A metric with scores gives every
   * linear and cache its share; one with gains spends the same extra operations wherever in the model they bring most.
   */
  readonly saliency: string | SaliencyMetric;
  /** What a metric with gains gives steps to: single channels, or all channels of an input together. */
  readonly granularity: (typeof GRANULARITIES)[number];
  readonly range: GifRange;
  readonly key: KeyQuantiser;
  /** One set of salient channels for linears that share an input, or one for each linear as published. */
  readonly mask: 'shared' | 'own';
  /** `hadamard` rotates the float model first, so that outliers are spread over all channels. */
  readonly rotate: (typeof ROTATIONS)[number];
  /** Draws the calibration windows, the random control and the signs of rotations. */
  readonly seed: number;
}

export interface QuantizeSettings extends CommonSettings {
  /** Name of a pipeline. */
  readonly pipeline: string;
  /** Settings of the pipeline's own that differ from its defaults. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What a metric of a user must have. */
const isMetric = (value: unknown): boolean => {
  const { name, score, gains } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === 'string' && [score, gains].some((own) => typeof own === 'function');
};

const metricNames = METRICS.map(({ name }) => name);
const saliency: SettingField<CommonSettings['saliency']> = {
  ...choiceField<string>(
    {
      flag: '--saliency <metric>',
      description: 'what ranks channels',
      default: metricNames[0],
      older: { values: { published: 'obs' } },
    },
    metricNames,
  ),
  schema: v.custom<CommonSettings['saliency']>(
    (value) => (typeof value === 'string' ? metricNames.includes(value) : isMetric(value)),
    metricNames.join(', '),
  ),
};

/** W4A4 with two steps for one channel in ten. */
export const COMMON_FIELDS: Fields<CommonSettings> = {
  weightBits: numberField(
    { flag: '--wbits <n>', description: 'bits of a weight', default: 4 },
    `a whole number from 2 to 8, or ${FLOAT_BITS} for float`,
    (bits) => isWhole(2, 8)(bits) || bits === FLOAT_BITS,
  ),
  embeddingBits: numberField(
    {
      flag: '--embedding-bits <n>',
      description: 'bits of embedding and head',
      default: FLOAT_BITS,
      older: { flag: '--head-bits <n>' },
    },
    `8, or ${FLOAT_BITS} for the float type of the source`,
    (bits) => bits === 8 || bits === FLOAT_BITS,
  ),
  activationBits: numberField(
    { flag: '--abits <n>', description: 'bits of a spike', default: 4 },
    `a whole number from 2 to 8, or ${FLOAT_BITS} for float`,
    (bits) => isWhole(2, 8)(bits) || bits === FLOAT_BITS,
  ),
  steps: numberField(
    { flag: '--steps <n>', description: 'spike steps of a salient channel', default: 2 },
    '1, 2 or 4',
    (steps) => STEP_COUNTS.some((count) => count === steps),
  ),
  salientFraction: shareField({
    flag: '--salient <p>',
    description: 'share of salient channels',
    default: 0.1,
  }),
  saliency,
  granularity: choiceField<CommonSettings['granularity']>(
    { flag: '--granularity <unit>', description: 'what fisher gives steps to', default: 'channel' },
    GRANULARITIES,
  ),
  range: choiceField<GifRange>(
    {
      flag: '--range <range>',
      description: 'codes of a salient channel',
      default: 'lossless',
      older: { values: { published: 'saturating' } },
    },
    ['lossless', 'saturating'],
  ),
  key: choiceField<KeyQuantiser>(
    {
      flag: '--kv <quantiser>',
      description: 'how cached keys are quantised',
      default: 'block',
      older: { values: { published: 'whole' } },
    },
    KEY_QUANTISERS,
  ),
  mask: choiceField<CommonSettings['mask']>(
    { flag: '--mask <mask>', description: 'salient channels per input or per linear', default: 'shared' },
    ['shared', 'own'],
  ),
  rotate: choiceField<CommonSettings['rotate']>(
    { flag: '--rotate <rotation>', description: 'rotate the model first', default: 'none' },
    ROTATIONS,
  ),
  seed: numberField(
    { flag: '--seed <n>', description: 'draws the windows and the random saliency', default: 0 },
    'a whole number from 0 to 2^32 - 1',
    isWhole(0, 2 ** 32 - 1),
  ),
};

/** Tokens in a block of the `block` key quantiser. */
export const KEY_BLOCK = 32;

/** The metric that ranks channels. */
export const metricOfSettings = ({ saliency: metric }: Pick<CommonSettings, 'saliency'>): SaliencyMetric =>
  typeof metric === 'string' ? metricOf(metric) : metric;

/** Whether salient channels are wanted, so that calibration has to look at activations. */
export const hasSalience = ({
  activationBits,
  steps,
  salientFraction,
}: Pick<CommonSettings, 'activationBits' | 'steps' | 'salientFraction'>): boolean =>
  activationBits < FLOAT_BITS && steps > 1 && salientFraction > 0;

/** Whether calibration has to gather what activations say of the channels of each site. */
export const needsStatistics = (settings: CommonSettings): boolean =>
  hasSalience(settings) && (metricOfSettings(settings).needs ?? 'activations') === 'activations';

/** Whether calibration has to find the gradients of the loss. */
export const needsGradients = (settings: CommonSettings): boolean =>
  hasSalience(settings) && metricOfSettings(settings).needs === 'gradients';

/** Whether the KV cache spikes. */
export const cacheSpikes = ({ activationBits, key }: CommonSettings): boolean =>
  activationBits < FLOAT_BITS && key !== 'float';

/**
 * Steps of salient cached channels. The research code gives the KV cache one extra bit whatever the linears have, so
 * two steps is all there is in the published range.
 */
export const cacheSteps = ({ range, steps }: Pick<CommonSettings, 'range' | 'steps'>): number =>
  range === 'saturating' ? Math.min(steps, 2) : steps;
