/** Which backend is taken, on machines that have them and on those that do not. */
import { SpikeError } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { beforeEach, expect, test, vi } from 'vitest';
import { backendNames, openBackend, openModel } from '../src/index.ts';
import { host as web } from '../src/host.web.ts';
import { TALES } from './places.ts';

vi.mock('@spikellm/backend-cpu', () => ({ createCpuBackend: vi.fn<typeof createCpuBackend>() }));
const cpu = vi.mocked(createCpuBackend);
beforeEach(() => {
  cpu.mockReset();
  cpu.mockImplementation(() => {
    throw new SpikeError('MISSING', { where: 'backend-cpu', expected: 'its addon', received: 'none' });
  });
});

test('a model on a machine without the native addon runs on WebAssembly, and says why', async () => {
  await using model = await openModel(TALES);
  expect(model.backend.name).toBe('wasm');
  expect(model.passed.map(({ name, error }) => `${name}: ${error.message}`)).toEqual([
    'cpu: backend-cpu: expected its addon, received none.',
  ]);
});

test('a backend that was asked for by name is not replaced, and a mistake is not hidden', async () => {
  await expect(openModel(TALES, { backend: 'cpu' })).rejects.toThrow('backend-cpu: expected its addon');
  cpu.mockImplementation(() => {
    throw new SpikeError('INVALID_ARGUMENT', { where: 'threads', expected: 'fewer', received: '9999' });
  });
  await expect(openBackend('auto', { threads: 9999 })).rejects.toThrow('threads: expected fewer');
  expect(cpu).toHaveBeenLastCalledWith({ threads: 9999 });
});

test('threads reach WebAssembly', async () => {
  const { backend } = await openBackend('wasm', { threads: 1 });
  using opened = backend;
  expect(opened.report.threads).toBe(1);
});

test('WebGPU is never taken by itself, in Node and in pages', () => {
  expect(backendNames()).toEqual(['cpu', 'wasm', 'reference', 'webgpu']);
  const automatic = web.backends.filter(({ automatic: taken }) => taken).map(({ name }) => name);
  expect(automatic).toEqual(['wasm', 'reference']);
  expect(web.backends.map(({ name }) => name)).not.toContain('cpu');
});
