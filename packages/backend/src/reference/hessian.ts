/** Gram matrices and their Cholesky factors on the reference backend, in float64 and rounded once. */
import type { Dims } from '../kernel.ts';
import type { F32, I32 } from './kernel.ts';
import { matmulTransposed, transposed } from './matmul.ts';

/** hessian[c,d] += sum_n x[n,c] x[n,d]. */
export function gram({ x, hessian }: { x: F32; hessian: F32 }, { N, C }: Dims): void {
  const columns = transposed(x, N, C);
  const sums = new Float64Array(C * C);
  matmulTransposed(columns, columns, sums, C, C, N);
  for (let i = 0; i < sums.length; i++) hessian[i] += sums[i];
}

/** The smallest pivot, relative to the diagonal that it comes from: float32 sums say no more of a matrix. */
const SMALLEST_PIVOT = 1e-7;

/** factor factor^T = hessian + diag(damping), upper triangular. */
export function cholesky(
  { hessian, damping, factor, pivot }: { hessian: F32; damping: F32; factor: F32; pivot: I32 },
  { C }: Dims,
): void {
  // Row i of the factor from its diagonal on: what is left of the matrix less the columns that are done.
  const rows = Float64Array.from(hessian);
  factor.fill(0);
  pivot[0] = -1;
  for (let column = C - 1; column >= 0; column--) {
    const own = rows.subarray(column * C, (column + 1) * C);
    const whole = hessian[column * C + column] + damping[column];
    let left = whole;
    for (let k = column + 1; k < C; k++) left -= own[k] * own[k];
    if (!(left > SMALLEST_PIVOT * whole)) {
      pivot[0] = column;
      return;
    }
    const root = Math.sqrt(left);
    own[column] = root;
    for (let i = 0; i < column; i++) {
      const at = i * C;
      let sum = rows[at + column];
      for (let k = column + 1; k < C; k++) sum -= rows[at + k] * own[k];
      rows[at + column] = sum / root;
    }
  }
  for (let i = 0; i < C; i++) for (let j = i; j < C; j++) factor[i * C + j] = rows[i * C + j];
}
