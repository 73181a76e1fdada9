import { SpikeError, type Backend } from '@spikellm/backend';
import { createWebGpuBackend, type WebGpuOptions } from '../src/node.ts';

/** Why the tests of this package cannot run here; undefined where they can. */
export const missing: string | undefined = await createWebGpuBackend().then(
  (backend) => {
    backend.dispose();
    return undefined;
  },
  (error: unknown) => {
    // Any other error is a fault of the backend, not of the machine.
    if (error instanceof SpikeError && ['MISSING', 'UNSUPPORTED'].includes(error.code)) return error.message;
    throw error;
  },
);
if (missing !== undefined) console.warn(`WebGPU in Node is not tested: ${missing}`);

/** The variants that are tested: all features of the device, and none. */
export const variants: readonly (readonly [name: string, options: WebGpuOptions])[] = [
  ['all features', {}],
  ['plain WGSL', { without: ['subgroups', 'packed_4x8_integer_dot_product'] }],
];

export const create = (options: WebGpuOptions = {}): Promise<Backend> => createWebGpuBackend(options);
