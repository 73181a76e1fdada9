/** Training computes what inference computes: the same codes to the bit, the same attention over them. */
import {
  createRunner,
  firstDifference,
  kernels,
  newElements,
  type Backend,
  type DeviceTensor,
  type ElementType,
} from '@spikellm/backend';
import { expect } from 'vitest';
import { bytes, casesOfKernel, float, valuesOf, type Check } from '../check.ts';
import { createRandom } from '../random.ts';
import { fill, type Filled } from '../run.ts';

export const trainingChecks: Check[] = [
  ...casesOfKernel('gif_encode_f32').map((one) => ({
    name: `rounds as spikes are encoded and decoded, ${one.title}`,
    needs: ['gif_encode_f32', 'gif_decode_f32', 'gif_round_trip_f32'] as const,
    id: one.id,
    run: (backend: Backend) => sameAsSpikes(backend, fill(one)),
  })),
  ...[4, 32].flatMap((block) =>
    [0, 1, 21].map((window) => ({
      name: `attends as spiking caches do with keys in blocks of ${block}, window ${window}`,
      needs: ['attend_gif_block_f32', 'gif_round_trip_f32', 'attend_window_f32'] as const,
      run: (backend: Backend) => sameAsCache(backend, block, window),
    })),
  ),
];

async function sameAsSpikes(backend: Backend, { of, dims: named, operands }: Filled): Promise<void> {
  using runner = createRunner(backend);
  const constants = { steps: operands.steps };
  const attributes = of.attributes as { bits: number; range: 'lossless'; classes: number[] };
  const x = runner.upload(operands.x);
  const encode = runner.prepare('gif_encode_f32', attributes, constants);
  const decode = runner.prepare('gif_decode_f32', attributes, constants);
  const row = { ...attributes, H: 1, D: named.C, block: 1 };
  const roundTrip = runner.prepare('gif_round_trip_f32', row, constants);
  const want = await runner.scope(() =>
    valuesOf(backend, runner.apply(decode, runner.apply(encode, { x })).y),
  );
  const got = await runner.scope(() => valuesOf(backend, runner.apply(roundTrip, { x }).y));
  expect(new Uint8Array(got.buffer)).toEqual(new Uint8Array(want.buffer));
}

async function sameAsCache(backend: Backend, block: number, window: number): Promise<void> {
  using runner = createRunner(backend);
  const [N, H, K, D] = [70, 4, 2, 5];
  const attention = { H, K, D, block, scale: 0.4, window, softcap: window === 0 ? 0 : 2 };
  const random = createRandom(`block of ${block}`);
  const draw = (width: number): DeviceTensor =>
    runner.upload(
      float(
        Array.from({ length: N * width }, () => random.normal()),
        N,
        width,
      ),
    );
  const [q, k, v] = [draw(H * D), draw(K * D), draw(K * D)];
  const format = { bits: 4, range: 'lossless', classes: [1, 2] } as const;
  const steps = bytes(
    Array.from({ length: K * D }, () => random.pick(format.classes)),
    K * D,
  );
  const ones = bytes(new Uint8Array(H * D).fill(1), H * D);

  const constants = { keySteps: steps, valueSteps: steps };
  const attend = runner.prepare('attend_gif_block_f32', { ...format, ...attention }, constants);
  const blocks = Math.ceil(N / block);
  const zero = (type: ElementType, ...dims: number[]): DeviceTensor =>
    runner.upload({ type, data: newElements(type, dims[0] * dims[1]), dims });
  const cache = {
    openKeys: zero('float32', block, K * D),
    keyCodes: zero('uint8', N, K * D),
    keyScale: zero('float32', blocks, K * D),
    keyZero: zero('int32', blocks, K * D),
    valueCodes: zero('uint8', N, K * D),
    valueScale: zero('float32', N, K * 2),
    valueZero: zero('int32', N, K * 2),
  };
  const want = await runner.scope(() =>
    valuesOf(backend, runner.apply(attend, { q, k, v, ...cache }, { position: 0 }).y),
  );

  const round = (x: DeviceTensor, heads: number, size: number, tokens: number, of = steps): DeviceTensor => {
    const attributes = { ...format, H: heads, D: size, block: tokens };
    return runner.apply(runner.prepare('gif_round_trip_f32', attributes, { steps: of }), { x }).y;
  };
  const got = await runner.scope(() => {
    const closed = round(k, K * D, 1, block);
    const inputs = { q: round(q, H, D, 1, ones), k, v: round(v, K, D, 1), closed };
    return valuesOf(backend, runner.run('attend_window_f32', inputs, attention).y);
  });
  const { tolerance } = kernels.attend_window_f32;
  expect(firstDifference(got, want, tolerance)).toBeUndefined();
}
