/** Running statistics of the reference backend. Sums of one call are taken in float64, the state is float32. */
import type { Dims } from '../kernel.ts';
import { firstSeen, groupedColumn, softmaxScores } from './attention.ts';
import type { F32 } from './kernel.ts';
import { matmulTransposed, transposed } from './matmul.ts';

/** largest[c] = max(largest[c], max_n |x[n,c]|). */
export function columnAbsmax({ x, largest }: { x: F32; largest: F32 }, { C }: Dims): void {
  for (let i = 0; i < x.length; i++) largest[i % C] = Math.max(largest[i % C], Math.abs(x[i]));
}

/** sum[c] += sum_n a[n,c] b[n,c]. */
export function columnDot({ a, b, sum }: { a: F32; b: F32; sum: F32 }, { N, C }: Dims): void {
  for (let c = 0; c < C; c++) {
    let dot = 0;
    for (let n = 0, i = c; n < N; n++, i += C) dot += a[i] * b[i];
    sum[c] += dot;
  }
}

/** score[c] += sum_n x[n,c] ((x W^T) W)[n,c]. */
export function channelSaliency({ x, weight, score }: { x: F32; weight: F32; score: F32 }, dims: Dims): void {
  const { N, O, C } = dims;
  const y = new Float32Array(N * O);
  const b = new Float32Array(N * C);
  matmulTransposed(x, weight, y, N, O, C);
  matmulTransposed(y, transposed(weight, O, C), b, N, C, O);
  columnDot({ a: x, b, sum: score }, dims);
}

/** keyScore and valueScore of each query head. */
export function kvSaliency(
  { q, k, v, keyScore, valueScore }: Record<'q' | 'k' | 'v' | 'keyScore' | 'valueScore', F32>,
  dims: Dims,
): void {
  const { N, H, K, D, window } = dims;
  const columnOf = groupedColumn(H, K, D);
  for (let h = 0; h < H; h++) {
    const column = columnOf(h);
    const gramQ = gram(q, h * D, H * D, N, D);
    const gramK = gram(k, column, K * D, N, D);
    for (let d = 0; d < D; d++) {
      let score = 0;
      for (let e = 0; e < D; e++) score += gramQ[d * D + e] * gramK[d * D + e];
      keyScore[h * D + d] += score;
    }
    // sum_n v[n] ((P^T P) v)[n] = sum_n ((P v)[n])^2, one channel at a time.
    const squares = new Float64Array(D);
    for (let n = 0; n < N; n++) {
      const first = firstSeen(n, window);
      const weights = new Float64Array(n + 1);
      softmaxScores(q, (n * H + h) * D, k, weights, K * D, column, dims);
      for (let d = 0; d < D; d++) {
        let context = 0;
        for (let t = first, j = t * K * D + column + d; t <= n; t++, j += K * D) context += weights[t] * v[j];
        squares[d] += context ** 2;
      }
    }
    for (let d = 0; d < D; d++) valueScore[h * D + d] += squares[d];
  }
}

/** sum_n x[n,d] x[n,e] of the D columns from `column`. */
function gram(x: F32, column: number, width: number, N: number, D: number): Float64Array {
  const sums = new Float64Array(D * D);
  for (let n = 0; n < N; n++) {
    const at = n * width + column;
    for (let d = 0; d < D; d++) {
      for (let e = 0; e < D; e++) sums[d * D + e] += x[at + d] * x[at + e];
    }
  }
  return sums;
}
