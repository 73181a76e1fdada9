/**
 * How many steps the weights of an input channel, or single weights, get. That salient channels get more, by a second-order metric, is the
 * paper's (arXiv 2407.04752); shares, numbers of steps and the budget are a reconstruction.
 */
import { allocateBudget, allocateQuota, columnScores, weightScores } from '@spikellm/saliency';
import type { FactoredHessian } from './factor.ts';
import { WEIGHT_STEP_CHOICES, type GptqSettings } from './settings.ts';
import { ternaryError, ternaryScale } from './ternary-scale.ts';

/** T of each input channel, uint8 [C]. @param weights - [O, C] */
export function chooseWeightSteps(
  weights: Float32Array,
  hessian: FactoredHessian,
  { equalSteps, weightSteps, salientSteps, salientWeights, weightGroup }: GptqSettings,
): Uint8Array {
  if (equalSteps !== undefined) return spendSteps(weights, hessian, equalSteps, weightGroup);
  const more = allocateQuota(columnScores(weights, hessian.pivots), salientWeights, 2);
  return more.map((salient) => (salient === 2 ? salientSteps : weightSteps));
}

/**
 * Which single weights are salient: the share `salientWeights` of greatest w^2 / U_jj^2, over the whole matrix; of equals the
 * first. 1 or 0 each, [O, C].
 */
export function chooseElements(
  weights: Float32Array,
  { pivots }: FactoredHessian,
  { salientWeights }: GptqSettings,
): Uint8Array {
  const scores = weightScores(weights, pivots);
  const count = Math.round(salientWeights * scores.length);
  const salient = new Uint8Array(scores.length);
  if (count === 0) return salient;
  const edge = scores.toSorted()[scores.length - count];
  let left = count;
  for (const holds of [(score: number) => score > edge, (score: number) => score === edge]) {
    for (let i = 0; i < scores.length && left > 0; i++) {
      if (!holds(scores[i])) continue;
      salient[i] = 1;
      left -= 1;
    }
  }
  return salient;
}

/**
 * Steps bought by falling gain until their mean is `equalSteps`: gain_j(T) = R_jj^2 sum_o (e_1(w_oj)^2 - e_T(w_oj)^2), e_T
 * the error of T steps with the scale that suits the whole row, or the row's weights of the group.
 */
function spendSteps(
  weights: Float32Array,
  { pivots }: FactoredHessian,
  equalSteps: number,
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
  return allocateBudget([{ outputs: 1, gains }], (equalSteps - 1) * C)[0];
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
