import { availableParallelism } from 'node:os';
import { createRunner, SpikeError, type DeviceTensor } from '@spikellm/backend';
import { createWasmBackend, supportedInstructionSets, type WasmOptions } from '@spikellm/backend-wasm';
import { afterEach, describe, expect, it, vi } from 'vitest';

/** The sentence and code of what opening a backend rejects with. */
async function refusal(options: WasmOptions = {}): Promise<string> {
  try {
    (await createWasmBackend(options)).dispose();
  } catch (error) {
    if (error instanceof SpikeError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('createWasmBackend', () => {
  it('takes the best instruction set and every core by default', async () => {
    using backend = await createWasmBackend();
    expect(backend.name).toBe('wasm');
    expect(backend.report.features).toEqual([supportedInstructionSets()[0]]);
    expect(backend.report.threads).toBe(availableParallelism());
  });

  it('takes one thread where memory cannot be shared, and says so', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    using backend = await createWasmBackend({ isa: 'simd128' });
    expect(backend.report.device).toBe(
      'WebAssembly SIMD on one thread, since the page is not cross-origin isolated',
    );
    expect(await refusal({ threads: 2 })).toBe(
      'UNSUPPORTED: createWasmBackend: expected memory that 2 threads can share, received a page that is not ' +
        'cross-origin isolated; serve it with Cross-Origin-Opener-Policy: same-origin and ' +
        'Cross-Origin-Embedder-Policy: require-corp, or leave threads out.',
    );
  });

  it.each([0, -1, 1.5, Number.NaN, 65])('refuses %s threads', async (threads) => {
    expect(await refusal({ threads })).toBe(
      `INVALID_ARGUMENT: createWasmBackend: expected threads to be a whole number from 1 to 64, received ${threads}.`,
    );
  });

  it.each([-1, 1.5, Number.NaN])('refuses to reserve %s bytes', async (reserve) => {
    expect(await refusal({ reserve })).toBe(
      `INVALID_ARGUMENT: createWasmBackend: expected reserve to be a whole number of bytes, received ${reserve}.`,
    );
  });

  it('says how large its memory is', async () => {
    using backend = await createWasmBackend({ threads: 1 });
    const before = backend.memoryBytes;
    backend.allocate('uint8', [8e6]).dispose();
    expect(backend.memoryBytes).toBeGreaterThanOrEqual(before + 7e6);
    expect(backend.liveBytes).toBe(0);
  });

  it('has what was reserved from the start', async () => {
    using backend = await createWasmBackend({ threads: 1, reserve: 4e7 });
    expect(backend.memoryBytes).toBeGreaterThanOrEqual(4e7);
    expect(backend.liveBytes).toBe(0);
  });

  it('refuses more than 2 GB and says what holds more', async () => {
    expect(await refusal({ threads: 1, reserve: 2 ** 31 })).toMatch(
      /^OUT_OF_MEMORY: backend-wasm: expected a model and its caches in 2 GB, .* received 2147483648 bytes more .*; use @spikellm\/backend-cpu in Node, @spikellm\/backend-webgpu in a page, or a smaller model\.$/,
    );
    using backend = await createWasmBackend({ threads: 1 });
    const runner = createRunner(backend);
    expect(() => backend.allocate('uint8', [2 ** 31 - 1000])).toThrow('backend-wasm: expected a model');
    expect(() => backend.allocate('float32', [2 ** 40])).toThrow('backend-wasm: expected a model');
    const a = runner.upload({ type: 'float32', data: Float32Array.of(1), dims: [1, 1] });
    expect((await backend.read(runner.run('add_f32', { a, b: a }).y)).data).toEqual(Float32Array.of(2));
  });

  it('goes on after a kernel found no memory to work in', async () => {
    using backend = await createWasmBackend({ threads: 1 });
    const runner = createRunner(backend);
    const [x, weight, y] = [
      [2000, 3000],
      [600, 3000],
      [2000, 600],
    ].map((dims) => backend.allocate('float32', dims));
    const linear = runner.prepare('linear_f32', {}, {});
    const filled: DeviceTensor[] = [];
    for (let bytes = 2 ** 30; bytes >= 2 ** 22; bytes /= 2) {
      try {
        filled.push(backend.allocate('uint8', [bytes]));
      } catch {
        // The next one is smaller.
      }
    }
    backend.dispatch(linear, { x, weight, y }, {});
    await expect(backend.synchronize()).rejects.toThrow(
      'linear_f32: expected memory to work in, received none; use a shorter text.',
    );
    for (const tensor of filled) tensor.dispose();
    backend.dispatch(linear, { x, weight, y }, {});
    await backend.synchronize();
  });

  it('says that an engine has no SIMD', async () => {
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(await refusal()).toBe(
      'UNSUPPORTED: createWasmBackend: expected an engine that has WebAssembly with SIMD, received none; ' +
        'use a browser of 2023 or later, or choose another backend.',
    );
    vi.stubGlobal('WebAssembly', undefined);
    expect(await refusal()).toContain('received none');
  });

  it('says that a policy refuses WebAssembly, and what would allow it', async () => {
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError('blocked'));
    expect(await refusal()).toBe(
      'UNSUPPORTED: backend-wasm: expected a page that may run WebAssembly, received blocked; add ' +
        "'wasm-unsafe-eval' to script-src of the page's Content-Security-Policy, or choose another backend.",
    );
  });
});
