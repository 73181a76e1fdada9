/** Weights of ternary GIF neurons by GPTQ: {-1, 0, +1} a step, more steps for salient input channels. */
import { clamp, packTrits, rint } from '@spikellm/backend';
import { hostTensor, type TernaryWeight } from '@spikellm/graph';
import type { FactoredHessian } from './factor.ts';
import type { WeightMethod } from './layer.ts';
import type { GptqSettings } from './settings.ts';
import { sweepColumns, toRows, type ColumnQuantiser } from './sweep.ts';
import { ternaryScale } from './ternary-scale.ts';
import { chooseWeightSteps } from './weight-steps.ts';

export interface TernaryQuantiser extends ColumnQuantiser {
  /** Sums of trits [C, O] in the order of the sweep. */
  readonly counts: Int8Array;
}

/**
 * Rounds columns of T steps to k D. Scales are those of an output and a class of steps, found in the given weights before the
 * sweep; a class without channels has none.
 *
 * @param scale - D [O, W], a column for each T that occurs, rising
 */
export function createTernaryQuantiser(
  O: number,
  { order }: FactoredHessian,
  steps: Uint8Array,
  scale: Float32Array,
): TernaryQuantiser {
  const classes = stepsThatOccur(steps);
  const counts = new Int8Array(order.length * O);
  return {
    block: 1,
    counts,
    column(n, values, quantised) {
      const T = steps[order[n]];
      const own = classes.indexOf(T);
      for (let o = 0; o < O; o++) {
        const D = scale[o * classes.length + own];
        const k = clamp(rint(values[o] / D), -T, T);
        counts[n * O + o] = k;
        quantised[o] = k * D;
      }
    },
  };
}

/** Rising. */
export const stepsThatOccur = (steps: Uint8Array): number[] => [...new Set(steps)].toSorted((a, b) => a - b);

/** The scales of each output and class, [O, W]. @param weights - [O, C]; dead channels have no say */
export function classScales(weights: Float32Array, steps: Uint8Array, dead: Uint8Array): Float32Array {
  const C = steps.length;
  const O = weights.length / C;
  const classes = stepsThatOccur(steps);
  const members = classes.map((T) => Int32Array.from(steps.keys()).filter((c) => steps[c] === T && !dead[c]));
  const scale = new Float32Array(O * classes.length);
  for (let o = 0; o < O; o++) {
    for (const [i, T] of classes.entries()) {
      const own = Float32Array.from(members[i], (c) => weights[o * C + c]);
      scale[o * classes.length + i] = ternaryScale(own, T);
    }
  }
  return scale;
}

export const ternaryMethod =
  (settings: GptqSettings): WeightMethod =>
  async (backend, weight, hessian) => {
    const steps = chooseWeightSteps(weight, hessian, settings);
    const scale = classScales(weight, steps, hessian.dead);
    const O = weight.length / steps.length;
    const quantiser = createTernaryQuantiser(O, hessian, steps, scale);
    const { error } = await sweepColumns(backend, weight, hessian, quantiser);
    const trits = packTrits(toRows(quantiser.counts, hessian.order), O, steps);
    const packed: TernaryWeight = {
      steps: hostTensor('uint8', steps),
      trits: hostTensor('uint8', trits, [O, trits.length / O]),
      scale: hostTensor('float32', scale, [O, scale.length / O]),
    };
    return { weight: packed, error };
  };
