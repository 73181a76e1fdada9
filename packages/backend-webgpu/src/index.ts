/**
 * SpikeLLM kernels in WGSL for the GPU: `dot4U8Packed` and subgroups where the device has them, plain WGSL elsewhere.
 *
 * @module
 */
import { createTableBackend, SpikeError, type Backend } from '@spikellm/backend';
import { describe, requestDevice } from './adapter.ts';
import { openDevice } from './device.ts';
import { createDriver } from './driver.ts';

/** A type of WebGPU, where the TypeScript of the user has it: the oldest that may be used does not. */
type Known<Name extends string> = typeof globalThis extends {
  readonly [Key in Name]: { readonly prototype: infer Type };
}
  ? Type
  : object;

export interface WebGpuOptions {
  /** A device that the caller owns and shares; by default the backend makes one and destroys it with itself. */
  readonly device?: Known<'GPUDevice'>;
  /** Where adapters come from; by default `navigator.gpu`. */
  readonly gpu?: Known<'GPU'>;
  /** Which adapter, where there are several; by default the fast one. */
  readonly powerPreference?: 'low-power' | 'high-performance';
  /** Leaves features of the device unused, so that their plain WGSL can be tested. */
  readonly without?: readonly WebGpuFeature[];
}

/** What kernels use where it is offered. */
export type WebGpuFeature = 'subgroups' | 'packed_4x8_integer_dot_product';

/**
 * A backend on a GPU. `report.device` names it, and says so where it is software.
 *
 * Errors: MISSING (no WebGPU here), UNSUPPORTED (no adapter).
 */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<Backend> {
  const { without = [] } = options;
  const gpu = options.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (gpu === undefined) {
    throw new SpikeError('MISSING', {
      where: 'backend-webgpu',
      expected: 'WebGPU (navigator.gpu)',
      received: 'none',
      remedy: 'use a browser that has it, on https or localhost; or choose another backend',
    });
  }
  const device = options.device ?? (await requestDevice(gpu, options));
  const packed = 'packed_4x8_integer_dot_product';
  const features = [
    ...(device.features.has('subgroups') ? ['subgroups' as const] : []),
    ...(gpu.wgslLanguageFeatures.has(packed) ? ([packed] as const) : []),
  ].filter((feature) => !without.includes(feature));
  const capabilities = { subgroups: features.includes('subgroups'), packedDot: features.includes(packed) };
  return createTableBackend(
    createDriver(openDevice(device, capabilities, options.device === undefined), {
      device: describe(device),
      features,
      threads: 1,
    }),
  );
}
