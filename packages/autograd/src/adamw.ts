/**
 * AdamW (arXiv 1711.05101) on small vectors in host memory: equivalent scales and clipping factors of one layer.
 */
import { SpikeError } from '@spikellm/backend';

export interface AdamWOptions {
  readonly betas?: readonly [first: number, second: number];
  readonly eps?: number;
  /** Decoupled weight decay. */
  readonly decay?: number;
}

export interface AdamW {
  /**
   * One update in place: with m and v the running means of gradient and squared gradient, corrected for their start,
   * values <- values (1 - rate decay) - rate m / (sqrt(v) + eps). Errors: SHAPE.
   */
  step(gradient: ArrayLike<number>, rate: number): void;
}

/** The optimiser of one vector of parameters, which it changes in place. */
export function createAdamW(
  values: Float32Array,
  { betas: [first, second] = [0.9, 0.999], eps = 1e-8, decay = 0 }: AdamWOptions = {},
): AdamW {
  const mean = new Float32Array(values.length);
  const square = new Float32Array(values.length);
  let steps = 0;
  return {
    step(gradient, rate) {
      if (gradient.length !== values.length) {
        throw new SpikeError('SHAPE', {
          where: 'AdamW',
          expected: `a gradient of ${values.length} elements`,
          received: `${gradient.length}`,
        });
      }
      steps += 1;
      const meanBias = 1 - first ** steps;
      const squareBias = 1 - second ** steps;
      for (let i = 0; i < values.length; i++) {
        mean[i] = first * mean[i] + (1 - first) * gradient[i];
        square[i] = second * square[i] + (1 - second) * gradient[i] ** 2;
        const update = mean[i] / meanBias / (Math.sqrt(square[i] / squareBias) + eps);
        values[i] = values[i] * (1 - rate * decay) - rate * update;
      }
    },
  };
}

/** A learning rate by the number of updates made before. */
export type Schedule = (step: number) => number;

export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate;

/** Half a cosine from `rate` at step 0 to `last` at step `steps`, where it stays. */
export const cosineRate =
  (rate: number, steps: number, last = 0): Schedule =>
  (step) =>
    last + ((rate - last) * (1 + Math.cos(Math.PI * Math.min(1, step / steps)))) / 2;
