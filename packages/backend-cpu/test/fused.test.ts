import { composites, createRunner, packCodes, type DeviceTensor, type HostTensor } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createCpuBackend, supportedInstructionSets } from '../src/index.ts';

const [C, H, K, D, O] = [300, 4, 2, 20, 150];
/** Whole numbers 0..below-1 without a pattern. */
const whole = (count: number, below: number): number[] =>
  Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % below);
const floats = (count: number, ...dims: number[]): HostTensor => ({
  type: 'float32',
  data: Float32Array.from(whole(count, 2001), (value) => value / 1000 - 1),
  dims: dims.length > 0 ? dims : [count],
});
const packed = (prefix: string, outputs: number, bits: number): Record<string, HostTensor> => {
  const data = packCodes(Uint8Array.from(whole(outputs * C, 2 ** bits)), outputs, C, bits);
  return {
    [`${prefix}Weight`]: { type: 'uint8', data, dims: [outputs, data.length / outputs] },
    [`${prefix}WeightScale`]: { ...floats(outputs), data: new Float32Array(outputs).fill(0.01) },
    [`${prefix}WeightZero`]: { type: 'int32', data: new Int32Array(outputs).fill(7), dims: [outputs] },
    [`${prefix}Bias`]: floats(outputs),
  };
};
const steps: HostTensor = {
  type: 'uint8',
  data: Uint8Array.from(whole(C, 10), (value) => (value === 0 ? 2 : 1)),
  dims: [C],
};

/** One kernel that does the work of several is no excuse for another result: a fused model is the same model. */
describe.each(supportedInstructionSets())(
  '%s: the bits of the parts, on one token, a few and many',
  (isa) => {
    it.each([
      { N: 1, bits: 4, weightBits: 4, of: 'silu' },
      { N: 3, bits: 8, weightBits: 8, of: 'gelu' },
      { N: 201, bits: 4, weightBits: 3, of: 'gelu_tanh' },
    ] as const)(
      '$N tokens, $bits-bit spikes, $weightBits-bit weights, $of',
      async ({ N, bits, weightBits, of }) => {
        using backend = createCpuBackend({ isa, threads: 2 });
        using runner = createRunner(backend);
        const inputs = { x: runner.upload(floats(N * C, N, C)), norm: runner.upload(floats(C)) };
        const attributes = { bits, weightBits, range: 'lossless', classes: [1, 2], eps: 1e-5 } as const;
        const gated = { ...attributes, of } as const;

        const heads = { H, K, D };
        const qkv = {
          steps,
          ...packed('q', H * D, weightBits),
          ...packed('k', K * D, weightBits),
          ...packed('v', K * D, weightBits),
        };
        const gateUp = { steps, ...packed('gate', O, weightBits), ...packed('up', O, weightBits) };
        const fused = {
          ...runner.apply(runner.prepare('qkv_gif_f32', { ...heads, ...attributes }, qkv as never), inputs),
          ...runner.apply(runner.prepare('gate_up_gif_f32', gated, gateUp as never), inputs),
        };
        const parts = Object.fromEntries(
          Object.entries(fused).map(([name, { dims }]) => [name, backend.allocate('float32', dims)]),
        );
        const { q, k, v, y } = parts;
        composites.qkv_gif_f32!.body(runner, { ...heads, ...attributes }, qkv)({ ...inputs, q, k, v }, {});
        composites.gate_up_gif_f32!.body(runner, gated, gateUp)({ ...inputs, y }, {});
        const read = async (tensor: DeviceTensor) => (await backend.read(tensor)).data;
        for (const [name, tensor] of Object.entries(fused)) {
          expect(await read(tensor), name).toEqual(await read(parts[name]));
        }
      },
    );
  },
);
