/** Helper threads of a module on shared memory, as workers of Node or of a page. */
import { SpikeError } from '@spikellm/backend';
import type { Exports } from './module.ts';
import type { Start } from './worker.ts';

const STACK_BYTES = 2 ** 18;

/** A worker that has said that it is ready. */
interface Helper {
  terminate(): void;
}

/** Starts threads 1..threads-1. Errors: UNSUPPORTED where a worker does not start. */
export async function startHelpers(
  exports: Exports,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
): Promise<() => void> {
  const starts = Array.from({ length: threads - 1 }, (_, i): Start => {
    const stack = exports.allocate(STACK_BYTES) + STACK_BYTES;
    return { module, memory, thread: i + 1, stack };
  });
  const helpers = await Promise.allSettled(starts.map(startHelper));
  const stop = (): void => {
    exports.close();
    for (const helper of helpers) if (helper.status === 'fulfilled') helper.value.terminate();
  };
  const failed = helpers.find((helper) => helper.status === 'rejected');
  if (failed !== undefined) {
    stop();
    throw new SpikeError('UNSUPPORTED', {
      where: 'backend-wasm',
      expected: `${threads - 1} workers beside this thread`,
      received: failed.reason instanceof Error ? failed.reason.message : 'one that does not start',
      remedy: "allow 'self' in worker-src of the page's Content-Security-Policy, or ask for { threads: 1 }",
      cause: failed.reason,
    });
  }
  exports.open(threads);
  return stop;
}

const startHelper = (start: Start): Promise<Helper> =>
  typeof Worker === 'undefined' ? startInNode(start) : startInPage(start);

function startInPage(start: Start): Promise<Helper> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.addEventListener('message', () => resolve(worker), { once: true });
    worker.addEventListener('error', (event) => reject(new Error(event.message)), { once: true });
    worker.postMessage(start, []);
  });
}

function startInNode(start: Start): Promise<Helper> {
  return new Promise((resolve, reject) => {
    const threads = globalThis.process.getBuiltinModule('node:worker_threads');
    const worker = new threads.Worker(new URL('./worker.js', import.meta.url));
    worker.once('message', () => {
      // A process may end while its helpers sleep.
      worker.unref();
      resolve({ terminate: () => void worker.terminate() });
    });
    worker.once('error', reject);
    worker.postMessage(start, []);
  });
}
