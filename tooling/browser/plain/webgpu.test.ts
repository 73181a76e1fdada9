import { createRunner } from '@spikellm/backend';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import { expect, test } from 'vitest';

test('webgpu opens and computes in a page that is not isolated', async () => {
  expect(crossOriginIsolated).toBe(false);
  using backend = await createWebGpuBackend();
  expect(backend.report.device).toMatch(/^WebGPU in software \(/);
  using runner = createRunner(backend);
  const x = runner.upload({ type: 'float32', data: Float32Array.of(1, 2), dims: [1, 2] });
  const weight = runner.upload({ type: 'float32', data: Float32Array.of(3, 4, 5, 6), dims: [2, 2] });
  const { y } = runner.run('linear_f32', { x, weight });
  expect((await backend.read(y)).data).toEqual(Float32Array.of(11, 17));
});

test('webgpu takes tensors in buffers that can be resized, as a model is loaded from', async () => {
  using backend = await createWebGpuBackend();
  const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
  const data = new Float32Array(buffer);
  data.set([1, 2]);
  using uploaded = backend.upload({ type: 'float32', data, dims: [2] });
  buffer.resize(0);
  expect((await backend.read(uploaded)).data).toEqual(Float32Array.of(1, 2));
});
