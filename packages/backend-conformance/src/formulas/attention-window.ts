import type { Dims } from '@spikellm/backend';
import { scoreOf } from './attention.ts';
import { matrix, range, sum, type Formula, type Operands } from './formula.ts';

/** Attention of one head with its whole matrix of probabilities; places are elements of q or of k and v. */
interface Head {
  readonly query: (n: number, d: number) => number;
  readonly cached: (t: number, d: number) => number;
  readonly key: (n: number, t: number, d: number) => number;
  readonly isClosed: (n: number, t: number) => boolean;
  readonly P: readonly (readonly number[])[];
  /** The derivative of the score by the product of query and key. */
  readonly slope: (n: number, t: number) => number;
}

function headOf({ q, k, closed }: Operands, dims: Dims, h: number): Head {
  const { N, H, K, D, block, scale, window, softcap } = dims;
  const query: Head['query'] = (n, d) => (n * H + h) * D + d;
  const cached: Head['cached'] = (t, d) => (t * K + Math.floor(h / (H / K))) * D + d;
  const isClosed: Head['isClosed'] = (n, t) =>
    closed !== undefined && Math.floor(t / block) < Math.floor(n / block);
  const key: Head['key'] = (n, t, d) => (isClosed(n, t) ? closed : k)[cached(t, d)];
  const product = (n: number, t: number): number => sum(D, (d) => q[query(n, d)] * key(n, t, d));
  const slope: Head['slope'] = (n, t) =>
    softcap > 0 ? scale / Math.cosh((product(n, t) * scale) / softcap) ** 2 : scale;
  const P = range(N).map((n) => {
    const scores = range(n + 1).map((t) =>
      window > 0 && n - t >= window ? -Infinity : scoreOf(product(n, t), dims),
    );
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = sum(weights.length, (t) => weights[t]);
    return weights.map((weight) => weight / total);
  });
  return { query, cached, key, isClosed, P, slope };
}

const attendWindow: Formula = (operands, dims) => {
  const { N, H, D } = dims;
  const heads = range(H).map((h) => headOf(operands, dims, h));
  return {
    y: matrix(N, H * D, (n, column) => {
      const { P, cached } = heads[Math.floor(column / D)];
      return sum(n + 1, (t) => P[n][t] * operands.v[cached(t, column % D)]);
    }),
  };
};

const attendWindowBackward: Formula = (operands, dims) => {
  const { q, k, v, dy, dclosed } = operands;
  const { N, H, D } = dims;
  const dq = Array.from(q, () => 0);
  const dk = Array.from(k, () => 0);
  const dv = Array.from(v, () => 0);
  const ofClosed = Array.from(dclosed ?? k, (before) => (dclosed ? before : 0));
  for (const h of range(H)) {
    const { query, cached, key, isClosed, P, slope } = headOf(operands, dims, h);
    for (const n of range(N)) {
      const dP = P[n].map((_, t) => sum(D, (d) => dy[query(n, d)] * v[cached(t, d)]));
      const mean = sum(n + 1, (t) => P[n][t] * dP[t]);
      for (const t of range(n + 1)) {
        const dScore = P[n][t] * (dP[t] - mean) * slope(n, t);
        for (const d of range(D)) {
          dq[query(n, d)] += dScore * key(n, t, d);
          (isClosed(n, t) ? ofClosed : dk)[cached(t, d)] += dScore * q[query(n, d)];
          dv[cached(t, d)] += P[n][t] * dy[query(n, d)];
        }
      }
    }
  }
  return { dq, dk, dv, ...(dclosed && { dclosed: ofClosed }) };
};

export const windowFormulas = {
  attend_window_f32: attendWindow,
  attend_window_backward_f32: attendWindowBackward,
};
