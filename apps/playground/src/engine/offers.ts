/** What this browser offers, in facts that a reader can hold against a table of browsers. */
import { supportedInstructionSets } from '@spikellm/backend-wasm';

export interface Fact {
  readonly what: string;
  readonly value: string;
  /** Whether it is there; absent for what is neither good nor bad. */
  readonly has?: boolean;
}

export interface Offers {
  readonly wasm: readonly Fact[];
  readonly webgpu: readonly Fact[];
}

const yes = (what: string, has: boolean): Fact => ({ what, value: has ? 'yes' : 'no', has });

/** Looks at the browser as a worker sees it. */
export async function lookAtBrowser(): Promise<Offers> {
  const sets = supportedInstructionSets();
  return {
    wasm: [
      yes('SIMD of 128 bits', sets.includes('simd128')),
      yes('relaxed SIMD', sets.includes('relaxed-simd')),
      yes('cross-origin isolated, so that threads can share memory', crossOriginIsolated),
      { what: 'threads that the machine runs at once', value: String(navigator.hardwareConcurrency) },
    ],
    webgpu: await lookAtGpu(),
  };
}

async function lookAtGpu(): Promise<Fact[]> {
  const gpu = (navigator as Partial<Navigator>).gpu;
  if (gpu === undefined) return [yes('WebGPU', false)];
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) return [yes('WebGPU', true), yes('an adapter', false)];
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const named = [vendor, architecture, description].filter((part) => part !== '').join(', ');
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return [
    yes('WebGPU', true),
    { what: 'adapter', value: named === '' ? 'unnamed' : named },
    { what: 'hardware', value: isFallbackAdapter ? 'software adapter' : 'as the adapter says' },
    yes('subgroups', adapter.features.has('subgroups')),
    yes('integer dot product', gpu.wgslLanguageFeatures.has('packed_4x8_integer_dot_product')),
    yes('half precision (not used yet)', adapter.features.has('shader-f16')),
    { what: 'largest buffer', value: `${Math.round(maxBufferSize / 2 ** 20)} MiB` },
    { what: 'largest binding', value: `${Math.round(maxStorageBufferBindingSize / 2 ** 20)} MiB` },
  ];
}
