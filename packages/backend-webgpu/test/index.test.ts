import {
  createRunner,
  firstAvailable,
  createReferenceBackend,
  SpikeError,
  type Backend,
} from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { create as createGpu } from 'webgpu';
import { requestDevice } from '../src/adapter.ts';
import { createWebGpuBackend as createInPage } from '../src/index.ts';
import { create, missing } from './adapter.ts';

/** The sentence and code of what a promise rejects with. */
const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing was thrown',
    (error: unknown) => {
      if (error instanceof SpikeError) return `${error.code}: ${error.message}`;
      throw error;
    },
  );
const twice = async (backend: Backend): Promise<number[]> => {
  using runner = createRunner(backend);
  const x = runner.upload({ type: 'float32', data: Float32Array.of(1, 2), dims: [1, 2] });
  using y = runner.run('add_f32', { a: x, b: x }).y;
  return Array.from((await backend.read(y)).data as Float32Array);
};

describe('without a GPU', () => {
  it('a page without WebGPU is told what to do', async () => {
    expect(await refusal(createInPage())).toBe(
      'MISSING: backend-webgpu: expected WebGPU (navigator.gpu), received none; use a browser that has it, on https or localhost; or choose another backend.',
    );
  });

  it('a machine without an adapter is told what to do, and another backend can be taken', async () => {
    const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    expect(await refusal(create({ gpu }))).toBe(
      'UNSUPPORTED: backend-webgpu: expected a GPU adapter, received none; update the graphics driver (in Node on Linux that is Vulkan), or choose another backend.',
    );
    const { backend, passed } = await firstAvailable([
      { name: 'webgpu', open: () => create({ gpu }) },
      { name: 'reference', open: createReferenceBackend },
    ]);
    expect([backend.name, passed.map(({ name }) => name)]).toEqual(['reference', ['webgpu']]);
  });
});

describe.skipIf(missing !== undefined)('createWebGpuBackend', () => {
  const gpu = missing === undefined ? createGpu([]) : undefined!;

  it('names the device, and a software adapter as such', async () => {
    using backend = await create();
    const { isFallbackAdapter } = (await gpu.requestAdapter())!.info;
    expect(backend.name).toBe('webgpu');
    expect(backend.report.device).toMatch(isFallbackAdapter ? /^WebGPU in software \(/ : /^WebGPU on /);
  });

  it('borrows a device and leaves it alive', async () => {
    const device = await requestDevice(gpu, {});
    for (const _ of ['first', 'second']) {
      using backend = await create({ device });
      expect(await twice(backend)).toEqual([2, 4]);
    }
    device.destroy();
  });

  it('says which limit is too small, and what was needed', async () => {
    const device = await (await gpu.requestAdapter())!.requestDevice();
    using backend = await create({ device });
    const { maxStorageBufferBindingSize: most } = device.limits;
    const tooMany = most / 4 + 1;
    const refused = refusal(Promise.resolve().then(() => backend.allocate('float32', [tooMany])));
    expect(await refused).toBe(
      `OUT_OF_MEMORY: backend-webgpu: expected a device whose maxStorageBufferBindingSize is at least ${4 * tooMany} bytes, received one of ${most} bytes; use a smaller model or a shorter text, or another backend.`,
    );
    device.destroy();
  });

  it('says that the device is lost, and a new backend works', async () => {
    const device = await requestDevice(gpu, {});
    using backend = await create({ device });
    expect(await twice(backend)).toEqual([2, 4]);
    device.destroy();
    await device.lost;
    const lost =
      /^DEVICE_LOST: backend-webgpu: expected a GPU device that works, received a lost one \(.*\); create the backend again and load the model again\.$/;
    expect(await refusal(twice(backend))).toMatch(lost);
    expect(await refusal(backend.synchronize())).toMatch(lost);
    using next = await create();
    expect(await twice(next)).toEqual([2, 4]);
  });

  it('uses freed memory again', async () => {
    using backend = await create();
    const before = backend.liveBytes;
    for (let round = 0; round < 100; round++) await twice(backend);
    expect(backend.liveBytes).toBe(before);
  });
});
