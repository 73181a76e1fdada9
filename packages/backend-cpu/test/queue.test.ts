import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createRunner, type Backend, type DeviceTensor, type Runner } from '@spikellm/backend';
import { expect, it } from 'vitest';
import { createCpuBackend } from '../src/index.ts';

const float = (rows: number, columns: number, value = 1) => ({
  type: 'float32',
  data: new Float32Array(rows * columns).fill(value),
  dims: [rows, columns],
});

/** Queues products that keep two threads busy for a good part of a second. */
function enqueueWork(runner: Runner): DeviceTensor {
  const x = runner.upload(float(1024, 1024));
  const weight = runner.upload(float(1024, 1024));
  let y = x;
  for (let i = 0; i < 20; i++) y = runner.run('linear_f32', { x, weight }).y;
  return y;
}

async function withRunner(body: (runner: Runner, backend: Backend) => Promise<void>): Promise<void> {
  using backend = createCpuBackend({ threads: 2 });
  await body(createRunner(backend), backend);
}

it('lets the event loop turn while kernels run', () =>
  withRunner(async (runner, backend) => {
    enqueueWork(runner);
    let turns = 0;
    const turn = setInterval(() => turns++, 1);
    await backend.synchronize();
    clearInterval(turn);
    expect(turns).toBeGreaterThan(20);
  }));

it('dispatches faster than it computes', () =>
  withRunner(async (runner, backend) => {
    enqueueWork(runner);
    await backend.synchronize(); // warm
    const began = performance.now();
    enqueueWork(runner);
    const dispatched = performance.now() - began;
    await backend.synchronize();
    expect(dispatched).toBeLessThan((performance.now() - began) / 2);
  }));

it('finishes queued work on tensors that are disposed meanwhile', () =>
  withRunner(async (runner, backend) => {
    const x = backend.upload(float(512, 512));
    const weight = backend.upload(float(512, 512, 2));
    const { y } = runner.run('linear_f32', { x, weight });
    x.dispose();
    weight.dispose();
    // Memory that is given back and taken again must not reach the work that is still queued.
    for (let i = 0; i < 20; i++) backend.upload(float(512, 512, 7)).dispose();
    const { data } = await backend.read(y);
    expect(new Set(data as Float32Array)).toEqual(new Set([1024]));
  }));

it('answers reads that were asked for before it was disposed', async () => {
  const backend = createCpuBackend({ threads: 2 });
  const runner = createRunner(backend);
  const read = backend.read(enqueueWork(runner));
  backend.dispose();
  expect((await read).data[0]).toBe(1024);
});

it('reports a bad token id at the next read, once', () =>
  withRunner(async (runner, backend) => {
    const table = runner.upload(float(4, 8));
    const ids = runner.upload({ type: 'int32', data: Int32Array.of(0, 9), dims: [2] });
    const { y } = runner.run('embedding_f32', { ids, table });
    await expect(backend.read(y)).rejects.toThrow(
      'embedding_f32: expected token ids from 0 to 3, received 9.',
    );
    expect((await backend.read(y)).data[0]).toBe(1);
  }));

it('gives memory back: hundreds of backends and their tensors do not add up', async () => {
  const round = async (): Promise<void> => {
    using backend = createCpuBackend({ threads: 2 });
    const runner = createRunner(backend);
    const { y } = runner.run('add_f32', {
      a: runner.upload(float(64, 1024)),
      b: runner.upload(float(64, 1024)),
    });
    await backend.read(y);
  };
  for (let i = 0; i < 100; i++) await round();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 500; i++) await round();
  // A leak of one tensor a round would be 128 MiB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 26);
});

it.skipIf(process.platform !== 'linux')(
  'ends its threads when it is disposed (threads are counted on Linux)',
  async () => {
    const threads = (): number => readdirSync('/proc/self/task').length;
    const before = threads();
    for (let i = 0; i < 100; i++) {
      using backend = createCpuBackend({ threads: 3 });
      await backend.synchronize();
    }
    for (let turn = 0; turn < 100 && threads() > before; turn++) await sleep(20);
    expect(threads()).toBeLessThanOrEqual(before);
  },
);

it('drops and stops what a signal no longer wants, and nothing else', () =>
  withRunner(async (runner, backend) => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const matrix = runner.upload(float(1024, 1024));
    const [unwanted, own] = [1, 2].map(() => backend.allocate('float32', [1024, 1024]));
    const product = runner.prepare('linear_f32', {}, {});
    const multiply = (y: DeviceTensor): void =>
      backend.dispatch(product, { x: matrix, weight: matrix, y }, {});
    multiply(own);
    const began = performance.now();
    await backend.synchronize();
    const one = performance.now() - began;

    backend.abortable(stop.signal, () => {
      for (let i = 0; i < 1000; i++) multiply(unwanted);
    });
    multiply(own);
    const stopped = backend.read(unwanted, { signal: stop.signal });
    const finished = backend.read(own);
    await sleep(one);
    const from = performance.now();
    stop.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect((await finished).data[0]).toBe(1024);
    expect(performance.now() - from).toBeLessThan(200 * one);
  }));

/** What a worker of its own computes on a backend of its own. */
async function inWorker(value: number): Promise<number> {
  const own = new URL('../dist/index.js', import.meta.url).href;
  const body = `import(${JSON.stringify(own)}).then(async ({ createCpuBackend }) => {
    const backend = createCpuBackend({ threads: 2 });
    const kernel = backend.prepare('linear_f32', {}, {});
    const tensor = (value) =>
      backend.upload({ type: 'float32', dims: [256, 256], data: new Float32Array(65536).fill(value) });
    const [x, weight, y] = [tensor(${value}), tensor(1), tensor(0)];
    for (let i = 0; i < 20; i++) backend.dispatch(kernel, { x, weight, y }, {});
    const { data } = await backend.read(y);
    for (let i = 0; i < 1000; i++) backend.dispatch(kernel, { x, weight, y }, {});
    require('node:worker_threads').parentPort.postMessage(data[65535]);
  });`;
  const worker = new Worker(body, { eval: true });
  const result = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate(); // in the middle of its work
  return result;
}

it('works in two worker threads at once, which end in the middle of work', async () => {
  expect(await Promise.all([inWorker(1), inWorker(2)])).toEqual([256, 512]);
});

/** Runs a module text in a process of its own; resolves to what it printed. */
async function inProcess(body: string): Promise<string> {
  const own = fileURLToPath(new URL('../dist/index.js', import.meta.url));
  const head = `import { createCpuBackend } from ${JSON.stringify(own)};
    const backend = createCpuBackend({ threads: 2 });
    const side = 1024;
    const matrix = { type: 'float32', data: new Float32Array(side * side), dims: [side, side] };
    const x = backend.upload(matrix), weight = backend.upload(matrix), y = backend.upload(matrix);
    const kernel = backend.prepare('linear_f32', {}, {});
    const work = (n) => { for (let i = 0; i < n; i++) backend.dispatch(kernel, { x, weight, y }, {}); };`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    head + body,
  ]);
  return stdout;
}

it('lets the process end when nobody waits, idle or in the middle of work', async () => {
  expect(await inProcess('console.log("idle")')).toBe('idle\n');
  const began = performance.now();
  expect(await inProcess('work(100000); console.log("busy")')).toBe('busy\n');
  expect(performance.now() - began).toBeLessThan(20_000); // the work would take minutes
  expect(await inProcess('work(100000); process.exit(0)')).toBe('');
});

it('keeps the process alive while somebody waits', async () => {
  expect(await inProcess('work(3); backend.synchronize().then(() => console.log("done"))')).toBe('done\n');
});
