/** Runs, reads, uploads and disposals take effect in the order in which they were asked for. */
import { createRunner, type Backend, type DeviceTensor } from '@spikellm/backend';
import { expect } from 'vitest';
import { bytes, float, sentenceOf, valuesOf, zeros, type Check } from '../check.ts';

export const orderChecks: Check[] = [
  { name: 'each run sees what the runs before it wrote', needs: ['add_f32'], run: fibonacci },
  { name: 'a state keeps what every run added to it', needs: ['column_dot_f32'], run: runningSum },
  { name: 'a read sees the runs before it and none after it', needs: ['add_f32'], run: readsInOrder },
  { name: 'a tensor disposed after dispatch was still read', needs: ['add_f32'], run: disposedInput },
  { name: 'upload and prepare copy host memory', needs: ['add_f32', 'linear_packed_f32'], run: copies },
  { name: 'allocated tensors are zero, in used memory too', needs: [], run: zeroFilled },
  { name: 'synchronize waits and lets timers run', needs: ['add_f32'], run: synchronizes },
  { name: 'what a signal no longer wants is left out, and nothing else', needs: ['add_f32'], run: aborts },
];

/** Three tensors in turn, 30 runs without a read: t[i] = t[i-1] + t[i-2] in whole numbers. */
async function fibonacci(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const add = runner.prepare('add_f32', {}, {});
  const tensors = [float([1, 2, 3], 1, 3), float([1, 2, 3], 1, 3), zeros(1, 3)].map((x) => runner.upload(x));
  const want = [1, 1];
  for (let i = 2; i < 32; i++) {
    backend.dispatch(add, { a: tensors[(i - 1) % 3], b: tensors[(i - 2) % 3], y: tensors[i % 3] }, {});
    want.push(want[i - 1] + want[i - 2]);
  }
  const got = await valuesOf(backend, tensors[31 % 3]);
  expect([...got]).toEqual([want[31], 2 * want[31], 3 * want[31]]);
}

async function runningSum(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const sum = runner.upload(zeros(2));
  for (let i = 1; i <= 20; i++) {
    const a = runner.upload(float([i, -i], 1, 2));
    runner.run('column_dot_f32', { a, b: runner.upload(float([1, 2], 1, 2)), sum });
  }
  expect([...(await valuesOf(backend, sum))]).toEqual([210, -420]);
}

async function readsInOrder(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const add = runner.prepare('add_f32', {}, {});
  const [a, y] = [float([1, 2], 1, 2), zeros(1, 2)].map((x) => runner.upload(x));
  const before = valuesOf(backend, y);
  backend.dispatch(add, { a, b: a, y }, {});
  const after = valuesOf(backend, y);
  backend.dispatch(add, { a: y, b: y, y: a }, {});
  expect([...(await before), ...(await after), ...(await valuesOf(backend, a))]).toEqual([0, 0, 2, 4, 4, 8]);
}

async function disposedInput(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const a = backend.upload(float([1, 2, 3, 4], 1, 4));
  const { y } = runner.run('add_f32', { a, b: a });
  a.dispose();
  // Whoever takes the freed memory now must not be seen by the run above.
  const next = [5, 6, 7].map((value) => runner.upload(float([value, value, value, value], 1, 4)));
  const pending = valuesOf(backend, y);
  y.dispose();
  expect([...(await pending)]).toEqual([2, 4, 6, 8]);
  expect([...(await valuesOf(backend, next[0]))]).toEqual([5, 5, 5, 5]);
}

async function copies(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const host = float([1, 2], 1, 2);
  const x = runner.upload(host);
  host.data.fill(9);
  const weight = bytes([3, 4], 1, 2);
  const weightScale = float([0.5], 1);
  const weightZero = { type: 'int32', data: Int32Array.of(1), dims: [1] };
  const linear = runner.prepare(
    'linear_packed_f32',
    { weightBits: 8, C: 2 },
    { weight, weightScale, weightZero },
  );
  for (const { data } of [weight, weightScale, weightZero]) (data as Float32Array).fill(0);
  const { y } = runner.apply(linear, { x });
  expect([...(await valuesOf(backend, x)), ...(await valuesOf(backend, y))]).toEqual([
    1,
    2,
    0.5 * (1 * 2 + 2 * 3),
  ]);
  y.dispose();
}

async function zeroFilled(backend: Backend): Promise<void> {
  for (const type of ['float32', 'int32', 'uint8', 'uint16'] as const) {
    backend.upload({ type: 'float32', data: new Float32Array(64).fill(7), dims: [64] }).dispose();
    using tensor = backend.allocate(type, [5, 3]);
    expect([...(await valuesOf(backend, tensor))]).toEqual(Array.from({ length: 15 }, () => 0));
  }
}

async function synchronizes(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const a = runner.upload(float([1], 1, 1));
  const timer = { fired: false };
  setTimeout(() => (timer.fired = true), 0);
  for (let turn = 0; turn < 1000 && !timer.fired; turn++) {
    runner.run('add_f32', { a, b: a }).y.dispose();
    await backend.synchronize();
  }
  expect(timer.fired).toBe(true);
}

async function aborts(backend: Backend): Promise<void> {
  using runner = createRunner(backend);
  const add = runner.prepare('add_f32', {}, {});
  const [one, wanted, unwanted, others] = [1, 0, 0, 0].map((value) => runner.upload(float([value], 1, 1)));
  const addTo = (y: DeviceTensor): void => backend.dispatch(add, { a: one, b: one, y }, {});
  const stop = new AbortController();
  const { signal } = stop;
  const reason = new Error('enough');

  backend.abortable(signal, () => addTo(wanted));
  expect([...(await valuesOf(backend, wanted))]).toEqual([2]);
  const pending = backend.read(wanted, { signal });
  stop.abort(reason);
  await expect(pending).rejects.toBe(reason);
  backend.abortable(signal, () => {
    addTo(unwanted);
    // Without a signal of its own, a call inside belongs to the one around it.
    backend.abortable(undefined, () => addTo(unwanted));
    backend.abortable(new AbortController().signal, () => addTo(others));
  });
  addTo(wanted);
  const all = [wanted, unwanted, others].map((tensor) => valuesOf(backend, tensor));
  expect((await Promise.all(all)).map(([value]) => value)).toEqual([2, 0, 2]);

  await expect(backend.read(wanted, { signal })).rejects.toBe(reason);
  await expect(backend.synchronize({ signal })).rejects.toBe(reason);
  const aliased = (): void => backend.abortable(signal, () => addTo(one));
  expect(await sentenceOf(aliased)).toContain('expected y to be a tensor of its own');
}
