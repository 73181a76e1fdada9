/**
 * Thresholds of ternary GIF neurons. The paper (arXiv 2407.04752) names the neuron and not how its threshold is found: what
 * is here is a reconstruction. A weight is k D, k = clamp(rint(w / D), -T, T), with T steps.
 */
import { clamp, rint } from '@spikellm/backend';

/** Scales that are tried, as parts of max |w| / T; then as many again around the best. */
const GRID = 96;

/**
 * The D of least squared error for some weights.
 *
 * One step: of all weights by falling |w|, the m first of greatest (sum of |w|)^2 / m fire, D is the mean of their |w|, and
 * the edge D / 2 lies between them and the rest, so that rounding finds the same weights again. More steps: a grid search
 * that is refined once.
 *
 * @returns D above 0; 1 where all weights are 0 or there are none
 */
export function ternaryScale(weights: Float32Array, steps: number): number {
  const sizes = weights.map(Math.abs).toSorted();
  const largest = sizes.at(-1) ?? 0;
  if (largest === 0) return 1;
  return Math.max(Math.fround(steps === 1 ? oneStepScale(sizes) : searchScale(sizes, largest, steps)), 1e-30);
}

/** @param sizes - |w|, rising */
function oneStepScale(sizes: Float32Array): number {
  let sum = 0;
  let best = { worth: 0, scale: 1 };
  for (let m = 1; m <= sizes.length; m++) {
    sum += sizes[sizes.length - m];
    const worth = (sum * sum) / m;
    if (worth > best.worth) best = { worth, scale: sum / m };
  }
  return best.scale;
}

function searchScale(sizes: Float32Array, largest: number, steps: number): number {
  const step = largest / steps / GRID;
  const best = (from: number, spacing: number): number => {
    let [least, found] = [Infinity, from];
    for (let i = 0; i < GRID; i++) {
      const scale = from - i * spacing;
      if (!(scale > 0)) break;
      const error = ternaryError(sizes, scale, steps);
      if (error < least) [least, found] = [error, scale];
    }
    return found;
  };
  const coarse = best(largest / steps, step);
  return best(coarse + step, (2 * step) / GRID);
}

/** Sum of (w - D k)^2. */
export function ternaryError(weights: ArrayLike<number>, scale: number, steps: number): number {
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    error += (weights[i] - scale * clamp(rint(weights[i] / scale), -steps, steps)) ** 2;
  }
  return error;
}
