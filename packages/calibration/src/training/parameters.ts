/**
 * What block-wise training learns of one decoder layer (OmniQuant, arXiv 2308.13137): the scales of learnable equivalent
 * transformation (LET) and the clipping factors of each weight row (LWC).
 */
import type { DecoderConfig, LayerWeights, LinearGroup } from '@spikellm/graph';
import { cachedChannel, type EquivalentScales } from '../equivalence.ts';
import { largestWeights, smoothingScales } from '../smoothing.ts';
import type { TrainingSettings } from './settings.ts';

/** sigmoid(4) = 0.982: a range starts nearly unclipped. */
const INITIAL_CLIPPING = 4;
/** Scales keep away from 0, whose reciprocal they multiply by. */
const SMALLEST_SCALE = 1e-2;

export interface LayerParameters {
  /** Scales before they are spread over heads and rotary pairs. */
  readonly scales: Readonly<Partial<Record<ScaleName, Float32Array>>>;
  /** Clipping of the rows of each linear by its name, each [O]. */
  readonly clipping: ReadonlyMap<string, { readonly upper: Float32Array; readonly lower: Float32Array }>;
}
/** qkv [C], gateUp [C], value [K D], key [K D / 2], one for each rotary pair; [K D] where pairs are not tied. */
export type ScaleName = 'qkv' | 'gateUp' | 'value' | 'key';

export interface ParameterOptions {
  /** Share of a channel's size that moves into the weights, 0 to 1. */
  readonly alpha: number;
  readonly initialScales: TrainingSettings['initialScales'];
  /**
   * `tied` (the default): keys have one scale for each rotary pair, so the float layer computes the same. `free`: one for
   * each channel, which changes the layer under RoPE; for comparison with the research code.
   */
  readonly keys?: 'tied' | 'free';
}

/** The linear of a group that the research code takes initial scales from. */
const FIRST_READER: Readonly<Record<LinearGroup, string>> = {
  qkv: 'self_attn.q_proj',
  o: 'self_attn.o_proj',
  gate_up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};

/**
 * Parameters before training: s = max|x|^alpha / max|W|^(1 - alpha), 1 for keys; clipping factors 4.
 *
 * @param absmax - largest |x| of each channel at the input of each group of linears, from the float model
 */
export function initialParameters(
  weights: LayerWeights,
  config: DecoderConfig,
  absmax: Readonly<Record<LinearGroup, Float64Array>>,
  { alpha, initialScales, keys = 'tied' }: ParameterOptions,
): LayerParameters {
  const scalesOf = (group: LinearGroup): Float64Array => {
    const readers =
      initialScales === 'all'
        ? weights
        : { ...weights, linears: weights.linears.filter(({ entry }) => entry.name === FIRST_READER[group]) };
    return smoothingScales(absmax[group], largestWeights(readers, group), alpha);
  };
  const cached = config.kvHeads * config.headSize;
  const largestInput = largestOfGroup(absmax.o, config);
  const largestReader = largestOfGroup(largestWeights(weights, 'o'), config);
  return {
    scales: {
      qkv: Float32Array.from(scalesOf('qkv')),
      gateUp: Float32Array.from(scalesOf('gate_up')),
      value: Float32Array.from(smoothingScales(largestInput, largestReader, alpha)),
      key: new Float32Array(keys === 'tied' ? cached / 2 : cached).fill(1),
    },
    clipping: new Map(
      weights.linears.map(({ entry: { name, outputs } }) => [
        name,
        {
          upper: new Float32Array(outputs).fill(INITIAL_CLIPPING),
          lower: new Float32Array(outputs).fill(INITIAL_CLIPPING),
        },
      ]),
    ),
  };
}

/** The largest value of each cached channel over the query heads that meet it, [H D] -> [K D]. */
function largestOfGroup(values: Float64Array, config: DecoderConfig): Float64Array {
  const largest = new Float64Array(config.kvHeads * config.headSize);
  const at = cachedChannel(config);
  values.forEach((value, i) => {
    largest[at(i)] = Math.max(largest[at(i)], value);
  });
  return largest;
}

/** Keeps the scales at least 0.01 away from 0, in place; the sign stays. */
export function truncateScales({ scales }: LayerParameters): void {
  for (const scale of Object.values(scales)) {
    for (let i = 0; i < scale.length; i++) {
      scale[i] = Math.sign(scale[i]) * Math.max(Math.abs(scale[i]), SMALLEST_SCALE);
    }
  }
}

/** The scales as they meet the weights: those of keys spread over rotary pairs, [K D]. */
export function equivalentScales(
  { scales }: LayerParameters,
  { kvHeads, headSize }: DecoderConfig,
): EquivalentScales {
  const { key } = scales;
  const tied = key !== undefined && key.length < kvHeads * headSize;
  return { ...scales, key: tied ? spreadPairs(key, headSize) : key };
}

/** [K D / 2] -> [K D]: channels i and i + D/2 of a head get the scale of their pair. */
function spreadPairs(pairs: Float32Array, headSize: number): Float32Array {
  return Float32Array.from({ length: 2 * pairs.length }, (_, i) => pairs[pairOf(i, headSize)]);
}

/** The rotary pair of cached channel i, among K D / 2. */
export const pairOf = (i: number, headSize: number): number => {
  const half = headSize / 2;
  return Math.floor(i / headSize) * half + (i % half);
};
