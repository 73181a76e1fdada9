import type { HostTensor } from '@spikellm/backend';

/** A host tensor of whole numbers or float32. */
export const hostTensor = (
  type: 'uint8' | 'int16' | 'int32' | 'float32',
  data: Uint8Array | Int16Array | Int32Array | Float32Array,
  dims: readonly number[] = [data.length],
): HostTensor => ({ type, data, dims });
