import type { HostArena, LayerWeights, LinearNode } from '@spikellm/graph';
import type { LayerSizes } from '../observers.ts';
import { applyScales, denseOf, type EquivalentScales } from './apply-scales.ts';
import type { Fold } from './folds.ts';

const ALPHA = 0.5;
const FLOOR = 1e-5;

/**
 * SmoothQuant (arXiv 2211.10438): moves the size of activation channels into the weights that read them, for each norm and
 * the linears that read it. The float layer computes the same as before.
 */
export function smoothLayer(
  weights: LayerWeights,
  folds: readonly Fold[],
  { absmax }: LayerSizes,
  allocate?: HostArena['allocate'],
): LayerWeights {
  const scales: EquivalentScales = Object.fromEntries(
    folds
      .filter(({ kind }) => kind === 'norm')
      .map(({ name, readers }) => [
        name,
        smoothingScales(absmax[name], largestWeights(weights, readers), ALPHA),
      ]),
  );
  return applyScales(weights, folds, scales, allocate);
}

/** s_j = max|x_j|^alpha / max_o |W_oj|^(1 - alpha), each maximum and the result at least 1e-5. */
export function smoothingScales(
  largestInputs: Float64Array,
  largestReaders: Float64Array,
  alpha: number,
): Float64Array {
  return largestInputs.map((x, j) =>
    Math.max(Math.max(x, FLOOR) ** alpha / Math.max(largestReaders[j], FLOOR) ** (1 - alpha), FLOOR),
  );
}

/** max_o |W_oj| over linears of one input, [C]. */
export function largestWeights(weights: LayerWeights, readers: readonly LinearNode[]): Float64Array {
  const inputs = readers[0].inputs.x.width;
  const largest = new Float64Array(inputs);
  for (const { name } of readers) {
    const data = denseOf(weights.linears.get(name)!).data as Float32Array;
    for (let i = 0; i < data.length; i++) {
      largest[i % inputs] = Math.max(largest[i % inputs], Math.abs(data[i]));
    }
  }
  return largest;
}
