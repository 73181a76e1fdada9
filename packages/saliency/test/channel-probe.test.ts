import { createReferenceBackend, type HostTensor } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createAbsmaxProbe, createChannelProbe } from '../src/index.ts';
import { matrix, relativeError, rowsOf, sum, table, uniform } from './data.ts';

const C = 12;
const O = 7;
const next = uniform(3);
const weight = matrix(O, C, next);
const calls = [matrix(5, C, next), matrix(1, C, next), matrix(9, C, next)];
const rows = calls.flatMap(rowsOf);

async function channelScores(w: HostTensor, xs: readonly HostTensor[]): Promise<Float64Array> {
  using backend = createReferenceBackend();
  using probe = createChannelProbe(backend, C);
  const onDevice = backend.upload(w);
  for (const x of xs) probe.observe(backend.upload(x), onDevice);
  return await probe.read();
}

describe('createChannelProbe', () => {
  it('is sum_i M_ji H_ij / N with M = W^T W and H = x^T x over all calls', async () => {
    const w = rowsOf(weight);
    const M = table(C, C, (j, i) => sum(w.map((row) => row[j] * row[i])));
    const H = table(C, C, (i, j) => sum(rows.map((x) => x[i] * x[j])));
    const expected = M.map((row, j) => sum(row.map((m, i) => m * H[i][j])) / rows.length);
    expect(expected.some((score) => score < 0)).toBe(true); // the score is signed, and the case shows it
    expect(relativeError(await channelScores(weight, calls), expected)).toBeLessThan(1e-6);
  });

  it('adds up to the mean of |x W^T|^2', async () => {
    const w = rowsOf(weight);
    const energy = rows.map((x) => sum(w.map((row) => sum(row.map((value, c) => value * x[c])) ** 2)));
    const mean = sum(energy) / rows.length;
    expect(Math.abs(sum(await channelScores(weight, calls)) - mean) / mean).toBeLessThan(1e-6);
  });

  it('does not change when channels are scaled, x_j / s_j and W_oj s_j', async () => {
    const s = Array.from({ length: C }, () => 2 ** (3 * next()));
    const scaled = ({ data, dims }: HostTensor, factors: readonly number[]): HostTensor =>
      matrix(dims[0], C, (row, j) => Number(data[row * C + j]) * factors[j]);
    const inverse = s.map((factor) => 1 / factor);
    const xs = calls.map((x) => scaled(x, inverse));
    const before = await channelScores(weight, calls);
    expect(relativeError(await channelScores(scaled(weight, s), xs), before)).toBeLessThan(1e-6);
    expect(relativeError(await channelScores(weight, xs), before)).toBeGreaterThan(0.1); // one half alone does
  });

  it('frees its memory', () => {
    using backend = createReferenceBackend();
    const before = backend.liveBytes;
    const probe = createChannelProbe(backend, C);
    expect(backend.liveBytes).toBeGreaterThan(before);
    probe.dispose();
    expect(backend.liveBytes).toBe(before);
  });
});

describe('createAbsmaxProbe', () => {
  it('keeps the largest |x_j| of all calls', async () => {
    using backend = createReferenceBackend();
    using probe = createAbsmaxProbe(backend, C);
    for (const x of calls) probe.observe(backend.upload(x));
    const expected = rows[0].map((_, j) => Math.max(...rows.map((x) => Math.abs(x[j]))));
    expect(Array.from(await probe.read())).toEqual(expected);
  });
});
