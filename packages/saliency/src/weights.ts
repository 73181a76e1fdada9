/**
 * Weight saliency by Optimal Brain Surgeon (arXiv 2210.17323 for the order of columns, 2310.00034 for its use as a mask): what
 * a weight costs when it is removed, with the columns before it fixed and those after it solved again.
 *
 * With H = R R^T, R upper triangular, and F the columns from j on, [(H_FF)^-1]_jj = 1 / R_jj^2, which is U_jj^2 for the
 * factor U of the inverse Hessian U^T U. Half the error rises by w^2 / (2 U_jj^2) = w^2 R_jj^2 / 2; the halves are left out.
 */

/**
 * w_oj^2 R_jj^2 of each weight.
 *
 * @param weights - [O, C]
 * @param pivots - R_jj, [C]
 * @returns [O, C]
 */
export function weightScores(weights: ArrayLike<number>, pivots: ArrayLike<number>): Float64Array {
  const C = pivots.length;
  return Float64Array.from(weights, (w, i) => (w * pivots[i % C]) ** 2);
}

/** The score of a column is the sum of those of its weights, [C]: a channel of a linear is salient as a whole. */
export function columnScores(weights: ArrayLike<number>, pivots: ArrayLike<number>): Float64Array {
  const C = pivots.length;
  const scores = new Float64Array(C);
  for (let i = 0; i < weights.length; i++) scores[i % C] += (weights[i] * pivots[i % C]) ** 2;
  return scores;
}
