import { createReferenceBackend } from '@spikellm/backend';
import { expect, it } from 'vitest';
import { createKvProbe } from '../src/index.ts';
import { matrix, relativeError, rowsOf, sum, table, uniform } from './data.ts';

const heads = { H: 4, K: 2, D: 6 };
const { H, K, D } = heads;
const next = uniform(11);
const texts = [8, 1, 5].map((N) => ({
  q: matrix(N, H * D, () => 2 * next()),
  k: matrix(N, K * D, () => 2 * next()),
  v: matrix(N, K * D, next),
}));

/** Columns [head D, (head + 1) D) of each row. */
const head = (all: number[][], index: number): number[][] =>
  all.map((row) => row.slice(index * D, (index + 1) * D));
const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * b[i]));

function softmax(logits: readonly number[]): number[] {
  const weights = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  return weights.map((value) => value / sum(weights));
}

/** sum_n a_dn (G a)_dn with a [N][D] and G [D][D]: the saliency of K. */
const keyScore = (q: number[][], k: number[][]): number[] => {
  const G = table(D, D, (d, e) => sum(q.map((row) => row[d] * row[e])));
  return G.map((row, d) => sum(k.map((key) => key[d] * dot(row, key))));
};

/** sum_n v_nd ((P^T P) v)_nd with P the causal attention of q on k: the saliency of V. */
const valueScore = (q: number[][], k: number[][], v: number[][]): number[] => {
  const N = q.length;
  const P = q.map((query, n) => softmax(k.slice(0, n + 1).map((key) => dot(query, key) / Math.sqrt(D))));
  const PtP = table(N, N, (a, b) => sum(P.map((row) => (row[a] ?? 0) * (row[b] ?? 0))));
  return Array.from({ length: D }, (_, d) => {
    const column = v.map((row) => row[d]);
    return sum(column.map((value, n) => value * dot(PtP[n], column)));
  });
};

it('scores keys and values as the definition does, in float64, with grouped query heads', async () => {
  using backend = createReferenceBackend();
  using probe = createKvProbe(backend, heads);
  const keys = Array.from({ length: H * D }, () => 0);
  const values = Array.from({ length: H * D }, () => 0);
  let tokens = 0;
  for (const { q, k, v } of texts) {
    probe.observe(backend.upload(q), backend.upload(k), backend.upload(v));
    tokens += q.dims[0];
    for (let h = 0; h < H; h++) {
      const group = Math.floor((h * K) / H);
      const [qh, kh, vh] = [head(rowsOf(q), h), head(rowsOf(k), group), head(rowsOf(v), group)];
      keyScore(qh, kh).forEach((score, d) => (keys[h * D + d] += score));
      valueScore(qh, kh, vh).forEach((score, d) => (values[h * D + d] += score));
    }
  }
  const scores = await probe.read();
  const perToken = (score: number): number => score / tokens;
  expect(relativeError(scores.keys, keys.map(perToken))).toBeLessThan(1e-6);
  expect(relativeError(scores.values, values.map(perToken))).toBeLessThan(1e-6);
});

it('frees its memory', () => {
  using backend = createReferenceBackend();
  const before = backend.liveBytes;
  createKvProbe(backend, heads).dispose();
  expect(backend.liveBytes).toBe(before);
});
