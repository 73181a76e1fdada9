/**
 * How many steps the weights of an input channel, or single weights, get. That salient channels get more, by a second-order metric, is the
 * paper's (arXiv 2407.04752); shares, numbers of steps and the budget are a reconstruction.
 */
import { allocateBudget, allocateQuota, columnScores } from '@spikellm/saliency';
import type { FactoredHessian } from './factor.ts';
import { WEIGHT_STEP_CHOICES, type GptqSettings } from './settings.ts';
import { ternaryError, ternaryScale } from './ternary-scale.ts';

/** T of each input channel, uint8 [C]. @param weights - [O, C] */
export function chooseWeightSteps(
  weights: Float32Array,
  hessian: FactoredHessian,
  { meanSteps, weightSteps, salientSteps, salientWeights, weightGroup }: GptqSettings,
): Uint8Array {
  if (meanSteps !== undefined) return spendSteps(weights, hessian, meanSteps, weightGroup);
  const more = allocateQuota(columnScores(weights, hessian.pivots), salientWeights, 2);
  return more.map((salient) => (salient === 2 ? salientSteps : weightSteps));
}

/**
 * Which single weights are salient: the share `salientWeights` of greatest w^2 / U_jj^2, over the whole matrix; of equals the
 * first. 1 or 0 each, [O, C].
 */
export function chooseElements(
  weights: Float32Array,
  { pivots }: Pick<FactoredHessian, 'pivots'>,
  { salientWeights }: Pick<GptqSettings, 'salientWeights'>,
): Uint8Array {
  const C = pivots.length;
  /** As `weightScores` has it: an array of all of them would be twice as large as the weights. */
  const score = (i: number): number => (weights[i] * pivots[i % C]) ** 2;
  const salient = new Uint8Array(weights.length);
  const count = Math.round(salientWeights * weights.length);
  if (count === 0) return salient;
  const edge = greatest(score, weights.length, count);
  let left = count;
  for (const holds of [(value: number) => value > edge, (value: number) => value === edge]) {
    for (let i = 0; i < weights.length && left > 0; i++) {
      if (!holds(score(i))) continue;
      salient[i] = 1;
      left -= 1;
    }
  }
  return salient;
}

/**
 * The value that is `count`-th from above among numbers of 0 or more, which are in the order of their bits: 16 bits of it at
 * a time, by how many numbers that share those before have each.
 */
function greatest(value: (i: number) => number, length: number, count: number): number {
  // Rows: the least and the greatest number with the bits that are known, and the one that is looked at.
  const numbers = new Float64Array([0, Number.MAX_VALUE, 0]);
  const bits = new Uint16Array(numbers.buffer);
  let left = count;
  for (let digit = 3; digit >= 0; digit--) {
    const counts = new Uint32Array(2 ** 16);
    const [least, most] = numbers;
    for (let i = 0; i < length; i++) {
      const looked = value(i);
      if (looked < least || looked > most) continue;
      numbers[2] = looked;
      counts[bits[8 + digit]] += 1;
    }
    let own = counts.length - 1;
    while (counts[own] < left) left -= counts[own--];
    bits[digit] = own;
    bits[4 + digit] = own;
  }
  return numbers[0];
}

/**
 * Steps bought by falling gain until their mean is `meanSteps`: gain_j(T) = R_jj^2 sum_o (e_1(w_oj)^2 - e_T(w_oj)^2), e_T
 * the error of T steps with the scale that suits the whole row, or the row's weights of the group.
 */
function spendSteps(
  weights: Float32Array,
  { pivots }: FactoredHessian,
  meanSteps: number,
  group: number | undefined,
): Uint8Array {
  const C = pivots.length;
  const O = weights.length / C;
  const errors = new Map(WEIGHT_STEP_CHOICES.map((T) => [T, columnErrors(weights, O, C, T, group)]));
  const one = errors.get(1)!;
  const gains = new Map(
    [...errors].flatMap(([T, error]): [number, Float64Array][] =>
      T === 1 ? [] : [[T, pivots.map((pivot, j) => pivot ** 2 * (one[j] - error[j]))]],
    ),
  );
  return allocateBudget([{ outputs: 1, gains }], (meanSteps - 1) * C)[0];
}

/** Squared errors of each column, summed over the outputs, with one scale a row and group of columns. */
function columnErrors(weights: Float32Array, O: number, C: number, steps: number, group = C): Float64Array {
  const errors = new Float64Array(C);
  for (let o = 0; o < O; o++) {
    for (let from = 0; from < C; from += group) {
      const own = weights.subarray(o * C + from, o * C + Math.min(C, from + group));
      const scale = ternaryScale(own, steps);
      for (let i = 0; i < own.length; i++) {
        errors[from + i] += ternaryError(own.subarray(i, i + 1), scale, steps);
      }
    }
  }
  return errors;
}
