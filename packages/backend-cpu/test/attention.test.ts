import {
  createReferenceBackend,
  createRunner,
  firstDifference,
  kernels,
  newElements,
  type Backend,
  type DeviceTensor,
  type HostTensor,
  type Runner,
} from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createCpuBackend, supportedInstructionSets } from '../src/index.ts';

/** Numbers without a pattern that a tile could hide. */
const floats = (rows: number, columns: number): HostTensor => ({
  type: 'float32',
  data: Float32Array.from(
    { length: rows * columns },
    (_, i) => ((Math.imul(i + 1, 2654435761) >>> 8) % 2001) / 1000 - 1,
  ),
  dims: [rows, columns],
});

type GifAttention = 'attend_gif_token_f32' | 'attend_gif_block_f32';

const rowsOf = ({ data, dims }: HostTensor, from: number, count: number): HostTensor => ({
  type: 'float32',
  data: (data as Float32Array).slice(from * dims[1], (from + count) * dims[1]),
  dims: [count, dims[1]],
});

interface Heads {
  readonly H: number;
  readonly K: number;
  readonly D: number;
  readonly scale: number;
  readonly window: number;
  readonly softcap: number;
}

/** An attention kernel with empty caches for `total` tokens: how to run it, and the caches. */
function attention(
  runner: Runner,
  kernel: GifAttention | 'attend_f32',
  heads: Heads,
  block: number,
  total: number,
): { run: (inputs: Inputs, position: number) => DeviceTensor; states: readonly DeviceTensor[] } {
  const width = heads.K * heads.D;
  const state = (type: 'float32' | 'int32' | 'uint8', rows: number, columns: number): DeviceTensor =>
    runner.upload({ type, data: newElements(type, rows * columns), dims: [rows, columns] });
  if (kernel === 'attend_f32') {
    const [keys, values] = [1, 2].map(() => state('float32', total, width));
    return {
      run: (inputs, position) => runner.run(kernel, { ...inputs, keys, values }, heads, { position }).y,
      states: [keys, values],
    };
  }
  const gif = { bits: 4, range: 'lossless', classes: [1, 2] } as const;
  const steps: HostTensor = {
    type: 'uint8',
    data: Uint8Array.from({ length: width }, (_, c) => (c % 3 === 0 ? 2 : 1)),
    dims: [width],
  };
  const constants = { keySteps: steps, valueSteps: steps };
  const blocked = kernel === 'attend_gif_block_f32';
  const [rows, columns] = blocked ? [Math.ceil(total / block), width] : [total, 2 * heads.K];
  const caches = {
    keyCodes: state('uint8', total, width),
    keyScale: state('float32', rows, columns),
    keyZero: state('int32', rows, columns),
    valueCodes: state('uint8', total, width),
    valueScale: state('float32', total, 2 * heads.K),
    valueZero: state('int32', total, 2 * heads.K),
  };
  const states = Object.values(caches);
  if (!blocked) {
    const prepared = runner.prepare(kernel, { ...heads, ...gif }, constants);
    return {
      run: (inputs, position) => runner.apply(prepared, { ...inputs, ...caches }, { position }).y,
      states,
    };
  }
  const openKeys = state('float32', block, width);
  const prepared = runner.prepare(kernel, { ...heads, ...gif, block }, constants);
  return {
    run: (inputs, position) => runner.apply(prepared, { ...inputs, ...caches, openKeys }, { position }).y,
    states,
  };
}

interface Inputs {
  readonly q: DeviceTensor;
  readonly k: DeviceTensor;
  readonly v: DeviceTensor;
}

/** Caches past every block that attention cuts tokens, heads and channels into. */
describe.each(supportedInstructionSets())('%s', (isa) => {
  it.each([
    { heads: { H: 6, K: 2, D: 40, scale: 0.15, window: 0, softcap: 0 }, block: 32 },
    { heads: { H: 2, K: 2, D: 64, scale: 0.125, window: 0, softcap: 0 }, block: 7 },
    { heads: { H: 96, K: 1, D: 8, scale: 0.3, window: 0, softcap: 2 }, block: 48 },
    { heads: { H: 4, K: 1, D: 40, scale: 0.15, window: 1, softcap: 0 }, block: 32 },
    { heads: { H: 6, K: 2, D: 40, scale: 0.15, window: 13, softcap: 5 }, block: 32 },
    { heads: { H: 2, K: 2, D: 64, scale: 0.125, window: 60, softcap: 0 }, block: 7 },
    { heads: { H: 96, K: 1, D: 8, scale: 0.3, window: 140, softcap: 1 }, block: 48 },
  ])(
    'attends with $heads and blocks of $block, in parts and token by token alike',
    async ({ heads, block }) => {
      using backend = createCpuBackend({ isa, threads: 2 });
      const total = 150;
      /** Every operand that a call writes, after parts of these sizes. */
      const compute = async (on: Backend, kernel: GifAttention | 'attend_f32', parts: readonly number[]) => {
        using runner = createRunner(on);
        const attend = attention(runner, kernel, heads, block, total);
        const [q, k, v] = [heads.H, heads.K, heads.K].map((count) => floats(total, count * heads.D));
        const outputs: number[] = [];
        let position = 0;
        for (const N of parts) {
          const [qs, ks, vs] = [q, k, v].map((all) => runner.upload(rowsOf(all, position, N)));
          outputs.push(
            ...((await on.read(attend.run({ q: qs, k: ks, v: vs }, position))).data as Float32Array),
          );
          position += N;
        }
        const states = await Promise.all(attend.states.map(async (state) => (await on.read(state)).data));
        return { y: Float32Array.from(outputs), states };
      };
      using reference = createReferenceBackend();
      for (const kernel of ['attend_f32', 'attend_gif_token_f32', 'attend_gif_block_f32'] as const) {
        const atOnce = await compute(backend, kernel, [total]);
        const want = await compute(reference, kernel, [total]);
        expect(firstDifference(atOnce.y, want.y, kernels[kernel].tolerance), kernel).toBeUndefined();
        expect(atOnce.states, kernel).toEqual(want.states);
        const parts = [1, 1, 63, 2, 20, ...Array.from({ length: 63 }, () => 1)];
        expect(await compute(backend, kernel, parts), kernel).toEqual(atOnce);
      }
    },
  );
});
