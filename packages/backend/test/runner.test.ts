import { describe, expect, it } from 'vitest';
import {
  createReferenceBackend,
  createRunner,
  type Backend,
  type DeviceTensor,
  type Runner,
} from '../src/index.ts';

const row = (...values: number[]) => ({
  type: 'float32',
  data: Float32Array.from(values),
  dims: [1, values.length],
});
const valuesOf = async (backend: Backend, tensor: DeviceTensor) =>
  [...(await backend.read(tensor)).data].map(Number);

/** A runner and a row to compute with, and how many tensors beside that row are alive. */
function setUp(): { backend: Backend; runner: Runner; x: DeviceTensor; others: () => number } {
  const backend = createReferenceBackend();
  const runner = createRunner(backend);
  const x = runner.upload(row(1, 2));
  return { backend, runner, x, others: () => backend.liveBytes / 8 - 1 };
}

it('allocates outputs from the shapes of the row', async () => {
  const { backend, runner, x } = setUp();
  const weight = runner.upload({ type: 'float32', data: Float32Array.of(1, 0, 0, 1, 1, 1), dims: [3, 2] });
  const { y } = runner.run('linear_f32', { x, weight });
  expect(y.dims).toEqual([1, 3]);
  expect(await valuesOf(backend, y)).toEqual([1, 2, 3]);
});

it('prepares a kernel once for each set of attributes', () => {
  using backend = createReferenceBackend();
  const prepared: object[] = [];
  const prepare: Backend['prepare'] = (kernel, attributes, constants) => {
    prepared.push(attributes);
    return backend.prepare(kernel, attributes, constants);
  };
  const runner = createRunner({ ...backend, prepare });
  const x = runner.upload(row(1, 2));
  const weight = runner.upload({ type: 'float32', data: Float32Array.of(1, 1), dims: [2] });
  for (const eps of [1e-5, 1e-5, 1e-6, 1e-5]) runner.run('rmsnorm_f32', { x, weight }, { eps, H: 1 });
  expect(prepared).toEqual([
    { eps: 1e-5, H: 1 },
    { eps: 1e-6, H: 1 },
  ]);
});

describe('a scope', () => {
  it('frees what was allocated in it and keeps what it returns', async () => {
    const { backend, runner, x, others } = setUp();
    const y = runner.scope(() => {
      const { y: twice } = runner.run('add_f32', { a: x, b: x });
      return runner.run('add_f32', { a: twice, b: x }).y;
    });
    expect(others()).toBe(1);
    expect(await valuesOf(backend, y)).toEqual([3, 6]);
  });

  it('keeps tensors in a record or a list', () => {
    const { runner, x, others } = setUp();
    const add = (): DeviceTensor => runner.run('add_f32', { a: x, b: x }).y;
    const { kept } = runner.scope(() => ({ kept: add(), count: add().dims.length }));
    expect([kept.disposed, others()]).toEqual([false, 1]);
    const list = runner.scope(() => [add(), add()]);
    expect([list.some(({ disposed }) => disposed), others()]).toEqual([false, 3]);
  });

  it('hands what it keeps to the scope around it', () => {
    const { runner, x, others } = setUp();
    let seen = 0;
    runner.scope(() => {
      const inner = runner.scope(() => runner.run('add_f32', { a: x, b: x }).y);
      runner.run('add_f32', { a: inner, b: x });
      seen = others();
    });
    expect([seen, others()]).toEqual([2, 0]);
  });

  it('frees everything when it throws, and then works on', () => {
    const { runner, x, others } = setUp();
    const fail = (): never => {
      runner.run('add_f32', { a: x, b: x });
      throw new Error('stop');
    };
    expect(() => runner.scope(fail)).toThrow('stop');
    expect(others()).toBe(0);
    runner.run('add_f32', { a: x, b: x });
    expect(others()).toBe(1);
  });
});

it('leaves no output behind when a call is refused', () => {
  const { runner, x, others } = setUp();
  const cache = { keys: runner.upload(row(0, 0)), values: runner.upload(row(0, 0)) };
  const attention = { H: 1, K: 1, D: 2, scale: 1, window: 0, softcap: 0 };
  const before = others();
  const attend = (): unknown =>
    runner.run('attend_f32', { q: x, k: x, v: x, ...cache }, attention, { position: 1 });
  expect(attend).toThrow('position + N to be at most the 1 positions of the cache, received 1 + 1.');
  expect(others()).toBe(before);
});

it('names a missing operand', () => {
  const { runner, x } = setUp();
  expect(() => runner.run('linear_f32', { x } as never)).toThrow(
    'linear_f32: expected operand weight, received nothing.',
  );
});

it('disposes uploads and prepared kernels, and not the outputs', () => {
  const { backend, runner, x } = setUp();
  const { y } = runner.run('add_f32', { a: x, b: x });
  const prepared = runner.prepare('add_f32', {}, {});
  runner.dispose();
  expect([x.disposed, y.disposed, backend.liveBytes]).toEqual([true, false, 8]);
  expect(() => backend.dispatch(prepared, { a: y, b: y, y }, {})).toThrow('a disposed kernel');
});
