/** The device as a `Driver`: storages are buffers of the pool, work is listed in one queue. */
import {
  bytesPerElement,
  newElements,
  type BackendReport,
  type Driver,
  type ElementArray,
  type Implementation,
  type KernelName,
} from '@spikellm/backend';
import type { Device } from './device.ts';
import { kernelCalls, type KernelCall } from './kernels/index.ts';
import type { DeviceBuffer } from './pool.ts';
import { createRecorder, createWarmer, lendConstants } from './recorder.ts';

/** What `prepare` keeps: buffers by name, and those of them that are not the caller's. */
interface Prepared {
  readonly constants: Readonly<Record<string, DeviceBuffer>>;
  readonly own: readonly DeviceBuffer[];
  readonly bytes: number;
}

export function createDriver(device: Device, report: BackendReport): Driver<DeviceBuffer> {
  return {
    name: 'webgpu',
    report,
    kernels: Object.fromEntries(
      Object.entries(kernelCalls).map(([name, call]) => [name, implementation(device, call)]),
    ) as Partial<Record<KernelName, Implementation<DeviceBuffer>>>,
    allocate: (type, length) => device.pool.take(length * bytesPerElement(type)),
    write: (storage, data) => device.write(storage, data),
    synchronize: () => device.synchronize(),
    async read(storage, type, length) {
      const bytes = await device.read(storage, length * bytesPerElement(type));
      const data = newElements(type, length);
      new Uint8Array(data.buffer).set(new Uint8Array(bytes));
      return data;
    },
    release: (storage) => device.release(storage),
    dispose: () => device.close(),
  };
}

/** One kernel of the table. Constants from the host are packed, or kept where there is nothing to pack. */
function implementation(device: Device, call: KernelCall): Implementation<DeviceBuffer> {
  return {
    prepare(constants: Readonly<Record<string, ElementArray | DeviceBuffer>>, dims, attributes): Prepared {
      const { buffers, own } = lendConstants(device, constants);
      let kept: Record<string, DeviceBuffer> = buffers;
      let ownBuffers = own.map(([buffer]) => buffer);
      let bytes = own.reduce((sum, [, size]) => sum + size, 0);
      if (call.pack !== undefined) {
        const recorder = createRecorder(device);
        const packed: DeviceBuffer[] = [];
        bytes = 0;
        const keep = (words: number): DeviceBuffer => {
          bytes += 4 * words;
          packed.push(device.pool.take(4 * words));
          return packed.at(-1)!;
        };
        kept = call.pack({ ...recorder, keep }, buffers, dims, attributes as never);
        recorder.end();
        for (const buffer of ownBuffers) device.release(buffer);
        ownBuffers = packed;
      }
      for (const N of [1, 64]) {
        const warmer = createWarmer(device, device.nothing);
        call.run(warmer, { ...kept }, { ...dims, N }, attributes as never, { position: 0 });
      }
      return { constants: kept, own: ownBuffers, bytes };
    },
    run({ operands, dims, attributes, scalars, packed, signal }) {
      const recorder = createRecorder(device, signal);
      const { constants } = packed as Prepared;
      call.run(recorder, { ...constants, ...operands }, dims, attributes as never, scalars);
      recorder.end();
    },
    packedBytes: (packed) => (packed as Prepared).bytes,
    release: (packed) => {
      for (const buffer of (packed as Prepared).own) device.release(buffer);
    },
  };
}
