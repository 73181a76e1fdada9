import { createReferenceBackend, SpikeError } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { createMemoryFiles, openOpfsFiles } from '@spikellm/checkpoint';
import type { Host } from './host.ts';

export const host: Host = {
  backends: [
    { name: 'wasm', automatic: true, open: (options) => createWasmBackend(options) },
    { name: 'reference', automatic: true, open: () => createReferenceBackend() },
    {
      name: 'webgpu',
      automatic: false,
      // Loaded when it is asked for, so that other pages do not download its shaders.
      open: async () => (await import('@spikellm/backend-webgpu')).createWebGpuBackend(),
    },
  ],
  // Only workers can write the private files of an origin.
  files: async () => ('WorkerGlobalScope' in globalThis ? openOpfsFiles() : createMemoryFiles()),
  addressOf: (text) =>
    /^([a-z]+:|\.{0,2}\/)/i.test(text) ? new URL(text, globalThis.location.href) : undefined,
  pathOf: () => undefined,
  async calibrationText() {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'quantize',
      expected: 'text, a text to calibrate on',
      received: 'nothing',
    });
  },
};
