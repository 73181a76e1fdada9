/** Saliency and salient channels of the published research code. */
import { createReferenceBackend } from '@spikellm/backend';
import { readGolden, type GoldenTensor } from '@spikellm/golden';
import { describe, expect, it } from 'vitest';
import { allocateQuota, createChannelProbe, createKvProbe } from '../src/index.ts';
import { matrix, relativeError } from './data.ts';

const golden = readGolden('kernels');

/** 1 for a salient channel, as the goldens have it. */
const salient = (scores: ArrayLike<number>, lowShare: number): number[] =>
  Array.from(allocateQuota(scores, 1 - lowShare, 2), (steps) => steps - 1);

describe('spike_linear', () => {
  it.each(golden.spike_linear)(
    'low_p $low_p',
    async ({ weight, calibration, saliency, salient: mask, low_p }) => {
      using backend = createReferenceBackend();
      const upload = ({ shape, data }: GoldenTensor) => {
        const [rows, columns] = shape.slice(-2);
        return backend.upload(matrix(rows, columns, (row, column) => data[row * columns + column]));
      };
      const w = upload(weight);
      using probe = createChannelProbe(backend, w.dims[1]);
      for (const x of calibration) probe.observe(upload(x), w);
      const scores = await probe.read();
      expect(relativeError(scores, saliency.data)).toBeLessThan(1e-6);
      expect(salient(scores, low_p)).toEqual(mask);
    },
  );
});

describe('spike_matmul', () => {
  it.each(golden.spike_matmul)('low_p $low_p', async (given) => {
    const [, H, N, D] = given.k.shape;
    const at = ({ data, shape }: GoldenTensor, h: number, row: number, column: number): number =>
      data[(h * shape[2] + row) * shape[3] + column];
    /** [1, H, N, D] as [N, H D]. */
    const joined = (of: (h: number, row: number, column: number) => number) =>
      matrix(N, H * D, (row, column) => of(Math.floor(column / D), row, column % D));
    const tensor = (from: GoldenTensor) => joined((h, row, column) => at(from, h, row, column));

    // The goldens draw P apart from Q and K. With unit vectors as keys (the last key is 0, as N = D + 1) these
    // queries have just that P: their logits are its logarithms, up to a constant in each row.
    expect(N).toBe(D + 1);
    const unitKeys = joined((_, row, column) => (row === column ? 1 : 0));
    const queries = joined((h, row, column) => {
      if (column > row) return 0;
      const last = row === D ? Math.log(at(given.p, h, row, D)) : 0;
      return Math.sqrt(D) * (Math.log(at(given.p, h, row, column)) - last);
    });

    using backend = createReferenceBackend();
    using keyProbe = createKvProbe(backend, { H, K: H, D });
    using valueProbe = createKvProbe(backend, { H, K: H, D });
    const v = backend.upload(tensor(given.v));
    keyProbe.observe(backend.upload(tensor(given.q)), backend.upload(tensor(given.k)), v);
    valueProbe.observe(backend.upload(queries), backend.upload(unitKeys), v);
    const { keys } = await keyProbe.read();
    const { values } = await valueProbe.read();
    // The files give each number, the probabilities too, with 7 decimals.
    expect(relativeError(keys, given.saliency_k.data)).toBeLessThan(1e-5);
    expect(relativeError(values, given.saliency_v.data)).toBeLessThan(1e-5);
    expect(salient(keys, given.low_p)).toEqual(given.salient_k);
    expect(salient(values, given.low_p)).toEqual(given.salient_v);
  });
});
