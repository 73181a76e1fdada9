/** Attention over one window without a cache, and its gradient. The reference backend keeps one row of probabilities. */
import type { Dims } from '../kernel.ts';
import { capped, firstSeen, groupedColumn } from './attention.ts';
import type { F32 } from './kernel.ts';

interface Window {
  readonly q: F32;
  readonly k: F32;
  readonly v: F32;
  readonly closed?: F32;
}

/** How one query of a head sees the tokens first..n, the keys as it sees them. */
interface Seen {
  readonly first: number;
  /** Probabilities, by token. */
  readonly weights: Float64Array;
  /** The derivatives of scores by products, by token. */
  readonly slopes: Float64Array;
  readonly keyOf: (t: number) => F32;
}

function probabilities(
  { q, k, closed = k }: Window,
  { K, D, block, scale, window, softcap }: Dims,
  query: number,
  column: number,
  n: number,
): Seen {
  const open = n - (n % block);
  const keyOf = (t: number): F32 => (t < open ? closed : k);
  const first = firstSeen(n, window);
  const weights = new Float64Array(n + 1);
  const slopes = new Float64Array(n + 1);
  let largest = -Infinity;
  for (let t = first; t <= n; t++) {
    const keys = keyOf(t);
    let score = 0;
    for (let d = 0; d < D; d++) score += q[query + d] * keys[t * K * D + column + d];
    weights[t] = capped(score * scale, softcap);
    slopes[t] = softcap === 0 ? scale : scale * (1 - (weights[t] / softcap) ** 2);
    largest = Math.max(largest, weights[t]);
  }
  let sum = 0;
  for (let t = first; t <= n; t++) sum += weights[t] = Math.exp(weights[t] - largest);
  for (let t = first; t <= n; t++) weights[t] /= sum;
  return { first, weights, slopes, keyOf };
}

/** y = causal attention of the window. */
export function attendWindow(operands: Window & { y: F32 }, dims: Dims): void {
  const { v, y } = operands;
  const { N, H, K, D } = dims;
  const columnOf = groupedColumn(H, K, D);
  for (let n = 0; n < N; n++) {
    for (let h = 0; h < H; h++) {
      const query = (n * H + h) * D;
      const { first, weights } = probabilities(operands, dims, query, columnOf(h), n);
      for (let d = 0; d < D; d++) {
        let sum = 0;
        for (let t = first; t <= n; t++) sum += weights[t] * v[t * K * D + columnOf(h) + d];
        y[query + d] = sum;
      }
    }
  }
}

/** Gradients of `attendWindow`. */
export function attendWindowBackward(
  operands: Window & Record<'dy' | 'dq' | 'dk' | 'dv', F32> & { dclosed?: F32 },
  dims: Dims,
): void {
  const { q, k, v, dy, dq, dk, dv, dclosed } = operands;
  const { N, H, K, D } = dims;
  const columnOf = groupedColumn(H, K, D);
  const keySums = new Float64Array(k.length);
  const closedSums = operands.closed ? new Float64Array(k.length) : keySums;
  const valueSums = new Float64Array(v.length);
  for (let n = 0; n < N; n++) {
    for (let h = 0; h < H; h++) {
      const query = (n * H + h) * D;
      const { first, weights, slopes, keyOf } = probabilities(operands, dims, query, columnOf(h), n);
      const dWeights = new Float64Array(n + 1);
      let mean = 0;
      for (let t = first; t <= n; t++) {
        const at = t * K * D + columnOf(h);
        for (let d = 0; d < D; d++) dWeights[t] += dy[query + d] * v[at + d];
        mean += weights[t] * dWeights[t];
      }
      const dQuery = new Float64Array(D);
      for (let t = first; t <= n; t++) {
        const at = t * K * D + columnOf(h);
        const dScore = weights[t] * (dWeights[t] - mean) * slopes[t];
        const keys = keyOf(t);
        const sums = keys === k ? keySums : closedSums;
        for (let d = 0; d < D; d++) {
          dQuery[d] += dScore * keys[at + d];
          sums[at + d] += dScore * q[query + d];
          valueSums[at + d] += weights[t] * dy[query + d];
        }
      }
      dq.set(dQuery, query);
    }
  }
  dk.set(keySums);
  dv.set(valueSums);
  if (dclosed && operands.closed) closedSums.forEach((sum, i) => (dclosed[i] += sum));
}
