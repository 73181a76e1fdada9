/**
 * The backend in Node, over the npm package `webgpu` (Dawn).
 *
 * @module
 */
import { SpikeError, type Backend } from '@spikellm/backend';
import { createWebGpuBackend as create, type WebGpuOptions } from './index.ts';

export type { WebGpuFeature, WebGpuOptions } from './index.ts';

let found: Promise<GPU> | undefined;

/** Adapters of this machine. Errors: MISSING, without the package. */
async function gpuOfNode(): Promise<GPU> {
  const { create: createGpu } = (await import('webgpu').catch((cause: unknown) => {
    throw new SpikeError('MISSING', {
      where: 'backend-webgpu',
      expected: 'the npm package webgpu',
      received: (cause as Error).message.split('\n')[0],
      remedy: 'npm install webgpu, or choose another backend',
      cause,
    });
  })) as { create: (options: string[]) => GPU };
  return createGpu([]);
}

/**
 * A backend on a GPU of this machine: as in a browser, with WebGPU of the package `webgpu`.
 *
 * Errors: MISSING (the package), UNSUPPORTED (no adapter).
 */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<Backend> {
  return create({ ...options, gpu: options.gpu ?? (await (found ??= gpuOfNode())) });
}
