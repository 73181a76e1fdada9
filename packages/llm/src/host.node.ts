import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import { texts } from '@spikellm/demo-model';
import type { Host } from './host.ts';

export const host: Host = {
  backends: [
    { name: 'cpu', automatic: true, open: (options) => createCpuBackend(options) },
    { name: 'wasm', automatic: true, open: (options) => createWasmBackend(options) },
    { name: 'reference', automatic: true, open: () => createReferenceBackend() },
    // By name only: it does not train, and whether it is faster depends on the GPU.
    { name: 'webgpu', automatic: false, open: () => createWebGpuBackend() },
  ],
  files: async () => undefined,
  addressOf: (text) => (/^https?:\/\//i.test(text) ? new URL(text) : undefined),
  pathOf: (address) => (address.protocol === 'file:' ? fileURLToPath(address) : undefined),
  async calibrationText() {
    return { name: fileURLToPath(texts.calibration), text: await readFile(texts.calibration, 'utf8') };
  },
};
