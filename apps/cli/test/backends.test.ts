import { createReferenceBackend, SpikeError } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { beforeEach, expect, test, vi } from 'vitest';
import { openBackend, type BackendOptions } from '../src/backends.ts';
import { sink } from './run.ts';

vi.mock('@spikellm/backend-cpu', () => ({
  createCpuBackend: vi.fn<typeof createCpuBackend>(),
  measureLimits: undefined,
}));
vi.mock('@spikellm/backend-wasm', () => ({ createWasmBackend: vi.fn<typeof createWasmBackend>() }));
const cpu = vi.mocked(createCpuBackend);
const wasm = vi.mocked(createWasmBackend);
beforeEach(() => {
  cpu.mockReset();
  wasm.mockReset();
});

async function open(
  backend: BackendOptions['backend'],
  threads?: number,
): Promise<{ name: string; stderr: string }> {
  const [stdout, stderr] = [sink(), sink()];
  const session = { stdout, stderr, signal: new AbortController().signal };
  using opened = await openBackend(session, { backend, ...(threads !== undefined && { threads }) });
  return { name: opened.name, stderr: stderr.text() };
}

const missing = () =>
  new SpikeError('MISSING', { where: 'backend-cpu', expected: 'its addon', received: 'none' });
const noSimd = () =>
  new SpikeError('UNSUPPORTED', { where: 'createWasmBackend', expected: 'SIMD', received: 'none' });

test('auto takes the native backend, with the threads asked for', async () => {
  cpu.mockReturnValue(createReferenceBackend());
  const { stderr } = await open('auto', 1);
  expect(cpu).toHaveBeenCalledWith({ threads: 1 });
  expect(stderr).toContain('(the fastest of this version)\n');
});

test('auto says why it did not take the native backend, and what it took', async () => {
  cpu.mockImplementation(() => {
    throw missing();
  });
  wasm.mockRejectedValue(noSimd());
  expect(await open('auto')).toEqual({
    name: 'reference',
    stderr:
      'backend cpu is not used: backend-cpu: expected its addon, received none.\n' +
      'backend wasm is not used: createWasmBackend: expected SIMD, received none.\n' +
      'backend reference: plain TypeScript on one thread (the first that this machine can run)\n',
  });
});

test('auto takes WebAssembly where there is no native backend', async () => {
  cpu.mockImplementation(() => {
    throw missing();
  });
  wasm.mockResolvedValue(Object.assign(createReferenceBackend(), { memoryBytes: 0 }));
  await open('auto', 2);
  expect(wasm).toHaveBeenCalledWith({ threads: 2 });
});

test('a backend that was asked for by name is not replaced', async () => {
  cpu.mockImplementation(() => {
    throw missing();
  });
  await expect(open('cpu')).rejects.toThrow('backend-cpu: expected its addon, received none.');
});

test('auto does not hide a mistake of the user', async () => {
  cpu.mockImplementation(() => {
    throw new SpikeError('INVALID_ARGUMENT', { where: 'threads', expected: 'fewer', received: '9999' });
  });
  await expect(open('auto', 9999)).rejects.toThrow('threads: expected fewer, received 9999.');
});
