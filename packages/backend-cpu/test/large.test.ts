import {
  createReferenceBackend,
  createRunner,
  firstDifference,
  kernels,
  maxCode,
  packCodes,
  SpikeError,
  type Backend,
  type HostTensor,
} from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createCpuBackend, supportedInstructionSets } from '../src/index.ts';

/** Whole numbers 0..below-1 without a pattern that a tile could hide. */
const whole = (count: number, below: number): number[] =>
  Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % below);
const floats = (rows: number, columns: number): HostTensor => ({
  type: 'float32',
  data: Float32Array.from(whole(rows * columns, 2001), (value) => value / 1000 - 1),
  dims: [rows, columns],
});

/** What `compute` gives on the reference backend and on the CPU. */
async function both(
  compute: (backend: Backend) => Promise<Float32Array>,
  backend: Backend,
): Promise<[Float32Array, Float32Array]> {
  using reference = createReferenceBackend();
  return [await compute(backend), await compute(reference)];
}

/** Sizes above those of the conformance suite: past the blocks that kernels cut channels, tokens and sums into. */
describe.each(supportedInstructionSets())('%s beyond one block', (isa) => {
  it.each([
    { weightBits: 4, bits: 4, N: 1 },
    { weightBits: 7, bits: 6, N: 3 },
    { weightBits: 8, bits: 8, N: 4 },
    { weightBits: 8, bits: 8, N: 201 },
  ])('sums 9001 channels exactly: $weightBits-bit weights, $bits-bit spikes, $N tokens', async (sizes) => {
    using backend = createCpuBackend({ isa, threads: 2 });
    const { weightBits, bits, N } = sizes;
    const [C, O] = [9001, 19];
    const gif = { bits, range: 'lossless', classes: [1, 4] } as const;
    const steps = Uint8Array.from({ length: C }, (_, c) => (c % 3 === 0 ? 4 : 1));
    const ones = C - Math.ceil(C / 3); // of one step, first in gathered order
    const [few, many] = [maxCode(gif, 1), maxCode(gif, 4)];
    const wide = many > 255;
    // Every fourth row holds the largest codes only: a sum that overflows or saturates does so there.
    const codes = whole(N * C, 1 << 16).map((code, i) => {
      const largest = i % C < ones ? few : many;
      return Math.floor(i / C) % 4 === 0 ? largest : code % (largest + 1);
    });
    const weights = Uint8Array.from(whole(O * C, 2 ** weightBits), (weight, i) =>
      i < C ? 2 ** weightBits - 1 : weight,
    );
    const compute = async (on: Backend): Promise<Float32Array> => {
      using runner = createRunner(on);
      const linear = runner.prepare(
        'linear_codes_f32',
        { ...gif, weightBits },
        {
          steps: { type: 'uint8', data: steps, dims: [C] },
          weight: {
            type: 'uint8',
            data: packCodes(weights, O, C, weightBits),
            dims: [O, Math.ceil((C * weightBits) / 8)],
          },
          weightScale: { type: 'float32', data: new Float32Array(O).fill(1), dims: [O] },
          weightZero: { type: 'int32', data: Int32Array.from(whole(O, 2 ** weightBits)), dims: [O] },
        },
      );
      const { y } = runner.apply(linear, {
        codes: runner.upload({
          type: wide ? 'uint16' : 'uint8',
          data: wide ? Uint16Array.from(codes) : Uint8Array.from(codes),
          dims: [N, C],
        }),
        scale: runner.upload({ type: 'float32', data: new Float32Array(2 * N).fill(1), dims: [N, 2] }),
        zero: runner.upload({
          type: 'int32',
          data: Int32Array.from(whole(2 * N, 20001), (z) => z - 10000),
          dims: [N, 2],
        }),
      });
      return (await on.read(y)).data as Float32Array;
    };
    // With all scales 1 the result is the integer itself, rounded once.
    const [got, want] = await both(compute, backend);
    expect(got).toEqual(want);
  });

  it.each([1, 2, 9, 130])('multiplies %d rows of 600 channels in three orientations', async (N) => {
    using backend = createCpuBackend({ isa, threads: 2 });
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
      const [got, want] = await both(compute(kernel), backend);
      expect(firstDifference(got, want, kernels[kernel].tolerance), kernel).toBeUndefined();
    }
  });
});

it('sums, factors and rotates a Hessian of 1100 channels as the reference does', async () => {
  using backend = createCpuBackend({ threads: 2 });
  const gram = async (on: Backend): Promise<Float32Array> => {
    using runner = createRunner(on);
    using hessian = on.allocate('float32', [1100, 1100]);
    for (const rows of [130, 300]) runner.run('gram_f32', { x: runner.upload(floats(rows, 1100)), hessian });
    return (await on.read(hessian)).data as Float32Array;
  };
  const [sums, data] = await both(gram, backend);
  expect(firstDifference(sums, data, kernels.gram_f32.tolerance)).toBeUndefined();
  const rotated = async (on: Backend): Promise<Float32Array> => {
    using runner = createRunner(on);
    const hessian = runner.upload({ type: 'float32', data, dims: [1100, 1100] });
    const damping = runner.upload({ type: 'float32', data: new Float32Array(1100).fill(3), dims: [1100] });
    const { factor, pivot } = runner.run('cholesky_f32', { hessian, damping });
    expect((await on.read(pivot)).data[0]).toBe(-1);
    return (await on.read(runner.run('hadamard_f32', { x: factor }).y)).data as Float32Array;
  };
  const [got, want] = await both(rotated, backend);
  expect(firstDifference(got, want, kernels.cholesky_f32.tolerance)).toBeUndefined();
});

it('refuses a tensor that no machine has memory for', () => {
  using backend = createCpuBackend();
  const allocate = (): unknown => backend.allocate('uint8', [2 ** 52]);
  expect(allocate).toThrow(SpikeError);
  expect(allocate).toThrow('expected 4503599627370496 bytes of memory, received none');
  expect(backend.liveBytes).toBe(0);
});

it('an embedding and a head of 8 bits share one table', async () => {
  using backend = createCpuBackend({ threads: 1 });
  using runner = createRunner(backend);
  const [V, C] = [300, 40];
  const constants = {
    weight: runner.upload({ type: 'uint8', data: Uint8Array.from(whole(V * C, 256)), dims: [V, C] }),
    weightScale: runner.upload({ type: 'float32', data: new Float32Array(V).fill(0.5), dims: [V] }),
    weightZero: runner.upload({ type: 'int32', data: new Int32Array(V).fill(128), dims: [V] }),
  };
  const before = backend.liveBytes;
  const embedding = runner.prepare('embedding_packed_f32', { weightBits: 8, C }, constants);
  const head = runner.prepare('linear_packed_f32', { weightBits: 8, C }, constants);
  expect(backend.liveBytes).toBe(before);
  const ids = runner.upload({ type: 'int32', data: Int32Array.of(299), dims: [1] });
  const { y } = runner.apply(head, { x: runner.apply(embedding, { ids }).y });
  const row = whole(V * C, 256).slice(-C);
  const square = row.reduce((sum, code) => sum + (0.5 * (code - 128)) ** 2, 0);
  expect(((await backend.read(y)).data as Float32Array)[299]).toBeCloseTo(square, 0);
});
