/**
 * How many steps the weights of an input channel get. That salient channels get more, by a second-order metric, is the
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
  { equalSteps, weightSteps, salientSteps, salientWeights }: GptqSettings,
): Uint8Array {
  if (equalSteps !== undefined) return spendSteps(weights, hessian, equalSteps);
  const more = allocateQuota(columnScores(weights, hessian.pivots), salientWeights, 2);
  return more.map((salient) => (salient === 2 ? salientSteps : weightSteps));
}

/**
 * Steps bought by falling gain until their mean is `equalSteps`: gain_j(T) = R_jj^2 sum_o (e_1(w_oj)^2 - e_T(w_oj)^2), e_T
 * the error of T steps with the scale that suits the whole row.
 */
function spendSteps(weights: Float32Array, { pivots }: FactoredHessian, equalSteps: number): Uint8Array {
  const C = pivots.length;
  const O = weights.length / C;
  const errors = new Map(WEIGHT_STEP_CHOICES.map((T) => [T, columnErrors(weights, O, C, T)]));
  const one = errors.get(1)!;
  const gains = new Map(
    [...errors].flatMap(([T, error]): [number, Float64Array][] =>
      T === 1 ? [] : [[T, pivots.map((pivot, j) => pivot ** 2 * (one[j] - error[j]))]],
    ),
  );
  return allocateBudget([{ outputs: 1, gains }], (equalSteps - 1) * C)[0];
}

/** Squared errors of each column, summed over the outputs, with one scale a row. */
function columnErrors(weights: Float32Array, O: number, C: number, steps: number): Float64Array {
  const errors = new Float64Array(C);
  for (let o = 0; o < O; o++) {
    const row = weights.subarray(o * C, (o + 1) * C);
    const scale = ternaryScale(row, steps);
    for (let c = 0; c < C; c++) errors[c] += ternaryError(row.subarray(c, c + 1), scale, steps);
  }
  return errors;
}
