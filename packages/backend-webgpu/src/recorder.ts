/** What the kernels of the table are written against: runs of shaders, and memory that lives as long as a call. */
import type { ElementArray } from '@spikellm/backend';
import type { Device, Run } from './device.ts';
import type { DeviceBuffer } from './pool.ts';
import type { Shader } from './shader.ts';

export interface Recorder {
  run(shader: Shader, run: Run): void;
  /** Memory of that many words for this call alone; what is in it means nothing. */
  scratch(words: number): DeviceBuffer;
}

/** Runs everything; `end` gives the scratch memory back. */
export function createRecorder(device: Device, signal?: AbortSignal): Recorder & { end(): void } {
  const taken: DeviceBuffer[] = [];
  return {
    run: (shader, run) => device.run(shader, run, signal),
    scratch(words) {
      const buffer = device.pool.take(4 * words);
      // Kernels write what they read of it: it needs no clearing.
      buffer.stale = false;
      taken.push(buffer);
      return buffer;
    },
    end() {
      for (const buffer of taken) device.release(buffer);
    },
  };
}

/** Makes the pipelines and runs nothing. */
export function createWarmer(device: Device, nothing: DeviceBuffer): Recorder {
  return { run: (shader, { constants }) => device.warm(shader, constants), scratch: () => nothing };
}

/** Constants on the device by name: those of the caller, and copies of those in host memory, which `end` frees. */
export function lendConstants(
  device: Device,
  constants: Readonly<Record<string, ElementArray | DeviceBuffer>>,
): {
  readonly buffers: Record<string, DeviceBuffer>;
  readonly own: readonly (readonly [DeviceBuffer, number])[];
} {
  const buffers: Record<string, DeviceBuffer> = {};
  const own: [DeviceBuffer, number][] = [];
  for (const [name, given] of Object.entries(constants)) {
    if (!ArrayBuffer.isView(given)) {
      buffers[name] = given;
      continue;
    }
    buffers[name] = device.pool.take(given.byteLength);
    device.write(buffers[name], given);
    own.push([buffers[name], given.byteLength]);
  }
  return { buffers, own };
}
