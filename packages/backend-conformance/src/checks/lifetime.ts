/** What is disposed is refused afterwards, is counted no more, and may be disposed again. */
import { createRunner, type Backend } from '@spikellm/backend';
import { expect } from 'vitest';
import { bytes, float, sentenceOf, zeros, type Check, type CreateBackend } from '../check.ts';

export const lifetimeChecks: Check[] = [
  { name: 'live bytes count tensors and come back to zero', needs: ['linear_gif_f32'], run: liveBytes },
  { name: 'a disposed tensor is refused', needs: ['add_f32'], run: disposedTensor },
  { name: 'a disposed kernel is refused', needs: ['add_f32'], run: disposedKernel },
  {
    name: 'a disposed backend is refused, and takes everything with it',
    needs: ['add_f32'],
    run: disposedBackend,
  },
  { name: 'memory that no machine has is OUT_OF_MEMORY', needs: [], run: absurdSize },
  { name: 'what fails leaves nothing alive', needs: ['add_f32', 'linear_gif_f32'], run: nothingLeft },
];

const linearConstants = (steps: number[]) => ({
  steps: bytes(steps, 3),
  weight: bytes([1, 2, 3, 4, 5, 6], 2, 3),
  weightScale: float([1, 1], 2),
  weightZero: { type: 'int32', data: Int32Array.of(0, 0), dims: [2] },
});
const attributes = { bits: 4, range: 'lossless', classes: [1, 2], weightBits: 8 } as const;

async function liveBytes(_: Backend, create: CreateBackend): Promise<void> {
  using backend = await create();
  expect(backend.liveBytes).toBe(0);
  const x = backend.upload(float([1, 2, 3], 1, 3));
  const codes = backend.allocate('uint16', [5]);
  expect(backend.liveBytes).toBe(12 + 10);
  codes.dispose();
  expect(backend.liveBytes).toBe(12);
  const linear = backend.prepare('linear_gif_f32', attributes, linearConstants([1, 2, 1]));
  expect(backend.liveBytes).toBeGreaterThan(12);
  using y = backend.allocate('float32', [1, 2]);
  backend.dispatch(linear, { x, y }, {});
  await backend.synchronize();
  linear.dispose();
  x.dispose();
  x.dispose();
  expect(backend.liveBytes).toBe(8);
  y[Symbol.dispose]();
  expect(backend.liveBytes).toBe(0);
}

async function disposedTensor(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const add = runner.prepare('add_f32', {}, {});
  const [a, b, y] = [zeros(1, 3), zeros(1, 3), zeros(1, 3)].map((x) => runner.upload(x));
  a.dispose();
  expect(a.disposed).toBe(true);
  const expected = 'expected a live tensor, received a disposed tensor.';
  expect(await sentenceOf(() => backend.dispatch(add, { a, b, y }, {}))).toBe(
    `DISPOSED add_f32, a: ${expected}`,
  );
  expect(await sentenceOf(() => backend.read(a))).toBe(`DISPOSED read, tensor: ${expected}`);
}

async function disposedKernel(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const add = backend.prepare('add_f32', {}, {});
  const [a, y] = [zeros(1, 3), zeros(1, 3)].map((x) => runner.upload(x));
  backend.dispatch(add, { a, b: a, y }, {});
  add.dispose();
  add.dispose();
  expect(await sentenceOf(() => backend.dispatch(add, { a, b: a, y }, {}))).toBe(
    'DISPOSED add_f32: expected a live kernel, received a disposed kernel.',
  );
}

async function disposedBackend(_: Backend, create: CreateBackend): Promise<void> {
  const backend = await create();
  const tensor = backend.upload(zeros(1, 3));
  const y = backend.upload(zeros(1, 3));
  const add = backend.prepare('add_f32', {}, {});
  backend.dispose();
  backend.dispose();
  expect([tensor.disposed, backend.liveBytes]).toEqual([true, 0]);

  const refused = 'expected a live backend, received a disposed backend.';
  expect(await sentenceOf(() => backend.upload(zeros(1)))).toBe(`DISPOSED upload: ${refused}`);
  expect(await sentenceOf(() => backend.allocate('float32', [1]))).toBe(`DISPOSED allocate: ${refused}`);
  expect(await sentenceOf(() => backend.prepare('add_f32', {}, {}))).toBe(`DISPOSED prepare: ${refused}`);
  expect(await sentenceOf(() => backend.synchronize())).toBe(`DISPOSED synchronize: ${refused}`);
  expect(await sentenceOf(() => backend.dispatch(add, { a: tensor, b: tensor, y }, {}))).toMatch(
    /^DISPOSED add_f32: /,
  );
  expect(await sentenceOf(() => backend.read(tensor))).toMatch(/^DISPOSED read, tensor: /);
  tensor.dispose();
}

async function nothingLeft(_: Backend, create: CreateBackend): Promise<void> {
  using backend = await create();
  using runner = createRunner(backend);
  const strangeSteps = linearConstants([1, 3, 1]);
  expect(await sentenceOf(() => backend.prepare('linear_gif_f32', attributes, strangeSteps))).toBe(
    'INVALID_ARGUMENT prepare linear_gif_f32: expected steps of every channel among 1, 2, received 3 at channel 1.',
  );
  const a = backend.upload(zeros(1, 3));
  const b = backend.upload(zeros(1, 3));
  b.dispose();
  expect(await sentenceOf(() => runner.run('add_f32', { a, b }))).toMatch(/^DISPOSED add_f32, b: /);
  a.dispose();
  runner.dispose();
  expect(backend.liveBytes).toBe(0);
}

async function absurdSize(_: Backend, create: CreateBackend): Promise<void> {
  using backend = await create();
  for (const dims of [[2 ** 46], [2 ** 50, 2 ** 50]]) {
    expect(await sentenceOf(() => backend.allocate('float32', dims))).toMatch(/^OUT_OF_MEMORY /);
  }
  expect(backend.liveBytes).toBe(0);
}
