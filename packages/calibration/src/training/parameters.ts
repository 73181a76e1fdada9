/**
 * What block-wise training learns of one decoder layer (OmniQuant, arXiv 2308.13137): the scales of learnable equivalent
 * transformation (LET) and the clipping factors of each weight row (LWC).
 */
import type { LayerGraph, LayerWeights, LinearNode } from '@spikellm/graph';
import type { EquivalentScales } from '../transforms/apply-scales.ts';
import { cachedChannel, planFolds, type Fold } from '../transforms/folds.ts';
import { largestWeights, smoothingScales } from '../transforms/smoothing.ts';
import type { TrainingSettings } from './settings.ts';

/** sigmoid(4) = 0.982: a range starts nearly unclipped. */
const INITIAL_CLIPPING = 4;
/** Scales keep away from 0, whose reciprocal they multiply by. */
const SMALLEST_SCALE = 1e-2;

export interface LayerParameters {
  /** By name of the fold, one for each of its channels, or for those that are tied. */
  readonly scales: Readonly<Record<string, Float32Array>>;
  /** Clipping of the rows of each linear by its name, each [O]. */
  readonly clipping: ReadonlyMap<string, { readonly upper: Float32Array; readonly lower: Float32Array }>;
}

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

/** The folds whose scales are trained: all but gates, which the published method leaves alone. */
export const trainedFolds = (layer: LayerGraph): Fold[] =>
  planFolds(layer).filter(({ kind }) => kind !== 'gate');

/**
 * Parameters before training: s = max|x|^alpha / max|W|^(1 - alpha), 1 for keys; clipping factors 4.
 *
 * @param absmax - largest |x| of each channel at each input site, from the float model
 */
export function initialParameters(
  weights: LayerWeights,
  layer: LayerGraph,
  absmax: Readonly<Record<string, Float64Array>>,
  { alpha, initialScales, keys = 'tied' }: ParameterOptions,
): LayerParameters {
  const initial = (fold: Fold): Float32Array => {
    const { readers, site, attention } = fold;
    if (site === undefined)
      return new Float32Array(keys === 'tied' ? (fold.tied?.count ?? fold.channels) : fold.channels).fill(1);
    const largest = largestWeights(weights, initialScales === 'all' ? readers : [publishedReader(readers)]);
    // A cached channel takes the largest of the query heads that meet it.
    const ofChannels = (values: Float64Array): Float64Array =>
      attention ? largestOfGroup(values, fold.channels, cachedChannel(attention)) : values;
    return Float32Array.from(smoothingScales(ofChannels(absmax[site]), ofChannels(largest), alpha));
  };
  return {
    scales: Object.fromEntries(trainedFolds(layer).map((fold) => [fold.name, initial(fold)])),
    clipping: new Map(
      [...weights.linears].flatMap(([name, { node }]) => {
        if (node.router) return [];
        const factors = (): Float32Array => new Float32Array(node.output.width).fill(INITIAL_CLIPPING);
        return [[name, { upper: factors(), lower: factors() }]];
      }),
    ),
  };
}

/** The linear that the research code takes initial scales from: up of gate and up, else the first. */
const publishedReader = (readers: readonly LinearNode[]): LinearNode =>
  readers.find(({ name }) => /\bup_proj$/.test(name)) ?? readers[0];

/** The largest value of each cached channel over the query heads that meet it, [H D] -> [K D]. */
function largestOfGroup(values: Float64Array, channels: number, at: (i: number) => number): Float64Array {
  const largest = new Float64Array(channels);
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

/** The scales as they meet the weights: tied ones spread over their channels. */
export function equivalentScales({ scales }: LayerParameters, folds: readonly Fold[]): EquivalentScales {
  return Object.fromEntries(
    folds.map(({ name, channels, tied }) => {
      const own = scales[name];
      if (tied === undefined || own.length === channels) return [name, own];
      return [name, Float32Array.from({ length: channels }, (_, i) => own[tied.at(i)])];
    }),
  );
}
