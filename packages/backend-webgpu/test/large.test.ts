import {
  createReferenceBackend,
  createRunner,
  firstDifference,
  kernels,
  maxCode,
  packCodes,
  type Backend,
  type HostTensor,
} from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { create, missing, variants } from './adapter.ts';

/** Whole numbers 0..below-1 without a pattern that a tile could hide. */
const whole = (count: number, below: number): number[] =>
  Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % below);
const floats = (rows: number, columns: number): HostTensor => ({
  type: 'float32',
  data: Float32Array.from(whole(rows * columns, 2001), (value) => value / 1000 - 1),
  dims: [rows, columns],
});

/** Sizes above those of the conformance suite: past the tiles, with the features of the device and without. */
describe.skipIf(missing !== undefined).each(variants)('beyond one tile with %s', (_, options) => {
  it.each([
    { weightBits: 4, bits: 4, N: 1 },
    { weightBits: 2, bits: 4, N: 2 },
    { weightBits: 7, bits: 6, N: 3 },
    { weightBits: 8, bits: 8, N: 4 },
    { weightBits: 8, bits: 8, N: 70 },
    { weightBits: 4, bits: 4, N: 33 },
  ])('sums 9001 channels exactly: $weightBits-bit weights, $bits-bit spikes, $N tokens', async (sizes) => {
    const { weightBits, bits, N } = sizes;
    const [C, O] = [9001, 67];
    const gif = { bits, range: 'lossless', classes: [1, 4] } as const;
    const steps = Uint8Array.from({ length: C }, (__, c) => (c % 3 === 0 ? 4 : 1));
    const ones = C - Math.ceil(C / 3); // of one step, first in gathered order
    const [few, many] = [maxCode(gif, 1), maxCode(gif, 4)];
    // Every fourth row holds the largest codes only: a sum that overflows does so there.
    const codes = whole(N * C, 1 << 16).map((code, i) => {
      const largest = i % C < ones ? few : many;
      return Math.floor(i / C) % 4 === 0 ? largest : code % (largest + 1);
    });
    const weights = Uint8Array.from(whole(O * C, 2 ** weightBits), (weight, i) =>
      i < C ? 2 ** weightBits - 1 : weight,
    );
    const packed = packCodes(weights, O, C, weightBits);
    const compute = async (on: Backend): Promise<Float32Array> => {
      using runner = createRunner(on);
      const linear = runner.prepare(
        'linear_codes_f32',
        { ...gif, weightBits },
        {
          steps: { type: 'uint8', data: steps, dims: [C] },
          weight: { type: 'uint8', data: packed, dims: [O, packed.length / O] },
          weightScale: { type: 'float32', data: new Float32Array(O).fill(1), dims: [O] },
          weightZero: { type: 'int32', data: Int32Array.from(whole(O, 2 ** weightBits)), dims: [O] },
        },
      );
      // One class counts and the other has scale 0: the result is one integer, rounded once.
      const scale = Float32Array.from({ length: 2 * N }, (__, i) => (i + (i >> 1)) % 2);
      const zero = Int32Array.from(whole(2 * N, 20001), (z) => z - 10000);
      const { y } = runner.apply(linear, {
        codes: runner.upload({
          type: many > 255 ? 'uint16' : 'uint8',
          data: many > 255 ? Uint16Array.from(codes) : Uint8Array.from(codes),
          dims: [N, C],
        }),
        scale: runner.upload({ type: 'float32', data: scale, dims: [N, 2] }),
        zero: runner.upload({ type: 'int32', data: zero, dims: [N, 2] }),
      });
      return (await on.read(y)).data as Float32Array;
    };
    using backend = await create(options);
    using reference = createReferenceBackend();
    const want = await compute(reference);
    const got = await compute(backend);
    const half = 2 ** -24;
    expect(firstDifference(got, want, { absolute: 0, relative: 2 * half, ofLargest: 0 })).toBeUndefined();
    // Where 24 bits hold the integer nothing may be rounded at all.
    const small = [...want.keys()].filter((i) => Math.abs(want[i]) < 2 ** 24);
    expect(small.map((i) => got[i])).toEqual(small.map((i) => want[i]));
  });

  it.each([1, 9, 130])('multiplies %d rows of 600 channels in three orientations', async (N) => {
    using backend = await create(options);
    using reference = createReferenceBackend();
    const compute = (kernel: 'linear_f32' | 'matmul_f32' | 'matmul_tn_f32') => async (on: Backend) => {
      using runner = createRunner(on);
      const upload = (rows: number, columns: number) => runner.upload(floats(rows, columns));
      const { y } =
        kernel === 'linear_f32'
          ? runner.run(kernel, { x: upload(N, 600), weight: upload(171, 600) })
          : kernel === 'matmul_f32'
            ? runner.run(kernel, { a: upload(N, 600), b: upload(600, 171) })
            : runner.run(kernel, { a: upload(600, N), b: upload(600, 171) });
      return (await on.read(y)).data as Float32Array;
    };
    for (const kernel of ['linear_f32', 'matmul_f32', 'matmul_tn_f32'] as const) {
      const [got, want] = [await compute(kernel)(backend), await compute(kernel)(reference)];
      expect(firstDifference(got, want, kernels[kernel].tolerance), kernel).toBeUndefined();
    }
  });
});
