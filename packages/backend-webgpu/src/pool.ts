/** Memory on the device: buffers that are used again once they are free. */
import { SpikeError } from '@spikellm/backend';

const [MAP_READ, COPY_SRC, COPY_DST, STORAGE] = [0x1, 0x4, 0x8, 0x80];
export const MAP_MODE_READ = 1;
/** Free bytes that are kept for the next allocation, at least; beyond, a quarter of what is in use. */
const KEPT_BYTES = 64 * 2 ** 20;

/** A buffer of the device. Bytes past the tensor that it holds mean nothing. */
export interface DeviceBuffer {
  readonly gpu: GPUBuffer;
  /** Different for every buffer. */
  readonly id: number;
  readonly bytes: number;
  /** What was there before: the buffer must be cleared before it is read. */
  stale: boolean;
  /** Number of the last queued command that names it. */
  lastUse: number;
}

export interface Pool {
  /** At least `bytes` of memory, zero-filled or marked `stale`. Errors: OUT_OF_MEMORY. */
  take(bytes: number): DeviceBuffer;
  /** Memory to read back from. */
  takeStaging(bytes: number): DeviceBuffer;
  give(buffer: DeviceBuffer): void;
  /** Bytes of all buffers of the device, the free ones too. */
  readonly bytes: number;
  clear(): void;
}

/** Sizes that buffers come in: eight to each power of two, so that little is wasted and much fits again. */
function roomFor(bytes: number): number {
  const grain = Math.max(256, 2 ** (Math.ceil(Math.log2(Math.max(1, bytes))) - 3));
  return Math.ceil(Math.max(1, bytes) / grain) * grain;
}

/**
 * @param isQueued - whether a command that has not been submitted names the buffer
 * @param onDestroy - called before free buffers go
 */
export function createPool(
  device: GPUDevice,
  isQueued: (buffer: DeviceBuffer) => boolean,
  onDestroy: () => void,
): Pool {
  const free = new Map<string, DeviceBuffer[]>();
  const limits = {
    maxBufferSize: device.limits.maxBufferSize,
    maxStorageBufferBindingSize: device.limits.maxStorageBufferBindingSize,
  };
  let freeBytes = 0;
  let bytes = 0;
  let created = 0;

  function refuseTooLarge(wanted: number): void {
    for (const [limit, most] of Object.entries(limits)) {
      if (wanted <= most) continue;
      throw new SpikeError('OUT_OF_MEMORY', {
        where: 'backend-webgpu',
        expected: `a device whose ${limit} is at least ${wanted} bytes`,
        received: `one of ${most} bytes`,
        remedy: 'use a smaller model or a shorter text, or another backend',
      });
    }
  }

  function take(wanted: number, usage: number): DeviceBuffer {
    refuseTooLarge(wanted);
    const size = Math.min(roomFor(wanted), ...Object.values(limits));
    const buffer = free.get(`${usage} ${size}`)?.pop();
    if (buffer !== undefined) {
      freeBytes -= size;
      return buffer;
    }
    bytes += size;
    return {
      gpu: device.createBuffer({ size, usage }),
      id: ++created,
      bytes: size,
      stale: false,
      lastUse: 0,
    };
  }

  /** Destroys the free buffers that no waiting command names. */
  function clear(): void {
    onDestroy();
    for (const [key, buffers] of free) {
      free.set(key, buffers.filter(isQueued));
      for (const buffer of buffers) {
        if (isQueued(buffer)) continue;
        buffer.gpu.destroy();
        bytes -= buffer.bytes;
        freeBytes -= buffer.bytes;
      }
    }
  }

  return {
    take: (wanted) => take(wanted, STORAGE | COPY_SRC | COPY_DST),
    takeStaging: (wanted) => take(wanted, MAP_READ | COPY_DST),
    give(buffer) {
      const key = `${buffer.gpu.usage} ${buffer.bytes}`;
      const same = free.get(key);
      if (same === undefined) free.set(key, [buffer]);
      else same.push(buffer);
      buffer.stale = true;
      freeBytes += buffer.bytes;
      if (freeBytes > Math.max(KEPT_BYTES, (bytes - freeBytes) / 4)) clear();
    },
    get bytes() {
      return bytes;
    },
    clear,
  };
}
