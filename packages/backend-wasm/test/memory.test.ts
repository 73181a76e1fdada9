import { afterEach, expect, test, vi } from 'vitest';
import { createWasmBackend } from '@spikellm/backend-wasm';

afterEach(() => vi.unstubAllGlobals());

/** An engine that refuses memories above a size, as phones do for those that are shared. */
function refuse(isRefused: (descriptor: WebAssembly.MemoryDescriptor) => boolean): void {
  const { Memory, ...others } = Object.getOwnPropertyDescriptors(WebAssembly);
  const engine = Object.defineProperties({}, others);
  const limited = function (descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
    if (isRefused(descriptor)) throw new RangeError('Out of memory');
    return new Memory.value!(descriptor);
  };
  vi.stubGlobal('WebAssembly', Object.assign(engine, { Memory: limited }));
}

test('less memory is taken where much is refused, and said', async () => {
  refuse(({ shared, maximum }) => shared === true && maximum! > 4096);
  using backend = await createWasmBackend({ threads: 2 });
  expect(backend.report?.device).toMatch(/on 2 threads, with 256 MiB of memory at most$/);
});

test('one thread is taken where no memory can be shared', async () => {
  refuse(({ shared }) => shared === true);
  using backend = await createWasmBackend();
  expect(backend.report?.threads).toBe(1);
  await expect(createWasmBackend({ threads: 2 })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
});

test('no memory at all is told as one sentence', async () => {
  refuse(() => true);
  await expect(createWasmBackend()).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
});
