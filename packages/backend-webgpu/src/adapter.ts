/** A GPU device and what it can do, or an error that says what to do about it. */
import { SpikeError } from '@spikellm/backend';

export interface AdapterOptions {
  readonly powerPreference?: GPUPowerPreference;
  /** Features beside those that the kernels use, where the adapter has them. */
  readonly features?: readonly GPUFeatureName[];
}

/** Features that the kernels use where they are. */
const WANTED: readonly GPUFeatureName[] = ['subgroups'];

/** The device that was lent, or a new one of the best adapter, with all its limits. Errors: UNSUPPORTED. */
export async function requestDevice(
  gpu: GPU,
  { powerPreference = 'high-performance', features = [] }: AdapterOptions,
): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter === null) {
    throw new SpikeError('UNSUPPORTED', {
      where: 'backend-webgpu',
      expected: 'a GPU adapter',
      received: 'none',
      remedy: 'update the graphics driver (in Node on Linux that is Vulkan), or choose another backend',
    });
  }
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  return adapter.requestDevice({
    label: 'spikellm',
    requiredFeatures: [...WANTED, ...features].filter((feature) => adapter.features.has(feature)),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  });
}

/** The device in words; a software adapter says so. */
export function describe({ adapterInfo }: GPUDevice): string {
  const { vendor, architecture, description } = adapterInfo;
  const name = description || [vendor, architecture].filter((part) => part !== '').join(' ') || 'unnamed GPU';
  const isSoftware =
    adapterInfo.isFallbackAdapter || /swiftshader|llvmpipe|software|warp/i.test(`${name} ${architecture}`);
  return isSoftware ? `WebGPU in software (${name})` : `WebGPU on ${name}`;
}
