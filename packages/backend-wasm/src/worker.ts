/** A helper thread: runs the module on shared memory with a stack of its own, and says when it is ready. */
import { instantiate, STACK_POINTER } from './module.ts';

/** What the thread that opened the module sends. */
export interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  /** Where its stack begins; it grows downwards. */
  readonly stack: number;
}

async function help({ module, memory, thread, stack }: Start, ready: () => void): Promise<void> {
  const exports = await instantiate(module, memory);
  exports[STACK_POINTER].value = stack;
  ready();
  exports.help(thread);
}

if (typeof addEventListener === 'function') {
  addEventListener('message', ({ data }: MessageEvent<Start>) => {
    void help(data, () => postMessage('ready')).then(close);
  });
} else {
  const { parentPort } = globalThis.process.getBuiltinModule('node:worker_threads');
  parentPort!.once('message', (start: Start) => {
    void help(start, () => parentPort!.postMessage('ready', []));
  });
}
