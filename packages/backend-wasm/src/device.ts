/** The compiled kernels as a device: work is queued, and worked off by the thread that queued it. */
import type { ElementArray } from '@spikellm/backend';
import { errorOf, MOST_NUMBERS, MOST_OPERANDS, type Device } from '@spikellm/native-kernels';
import { bytesOf, type Heap, type Storage } from './heap.ts';
import { NoMemory, STACK_POINTER, type Exports } from './module.ts';
import { createQueue } from './queue.ts';

const MOST_BYTES = 2 ** 31;
/** What is uploaded while work waits is copied, up to so many bytes; for more the work is done first. */
const MOST_COPIED = 2 ** 16;

export function openDevice(exports: Exports, heap: Heap, stop: () => void): Device<Storage> {
  const queue = createQueue();
  const places = heap.kernelPlaces();
  /** What went wrong since the last wait. */
  let failure: unknown;

  /** Does the work now if nothing waits before it. */
  const inOrder = (work: () => void): void => {
    if (queue.idle) work();
    else queue.push(work);
  };
  const reserve = (storage: Storage): void => {
    storage.address = storage.bytes < MOST_BYTES ? exports.allocate(storage.bytes) : 0;
    if (storage.address === 0) throw heap.outOfMemory(storage.bytes);
  };
  /** What waits cannot throw to its caller. */
  const recorded = (work: () => void) => () => {
    try {
      work();
    } catch (error) {
      failure ??= error;
    }
  };
  const compute = (place: number, kernel: string): void => {
    const stack: number = exports[STACK_POINTER].value;
    try {
      exports.run(place);
    } catch (error) {
      exports[STACK_POINTER].value = stack;
      exports.abandon();
      throw error instanceof NoMemory ? errorOf({ kind: 'memory', index: 0, limit: 0 }, kernel) : error;
    }
    const fault = heap.takeFault();
    if (fault !== undefined) throw errorOf({ kind: 'index', ...fault }, kernel);
  };
  /** After the work queued so far. */
  const wait = (then: () => void): Promise<void> =>
    new Promise((resolve, reject) => {
      queue.push(() => {
        const found = failure;
        failure = undefined;
        then();
        if (found === undefined) resolve();
        else reject(found);
      });
    });

  const device: Device<Storage> = {
    allocate(bytes) {
      const storage: Storage = { bytes, address: 0 };
      if (queue.idle || bytes >= MOST_BYTES) reserve(storage);
      else queue.push(recorded(() => reserve(storage)));
      return storage;
    },
    upload(data) {
      if (data.byteLength > MOST_COPIED) queue.drain();
      const storage = device.allocate(data.byteLength);
      device.write(storage, data);
      return storage;
    },
    write(storage, data) {
      const kept = queue.idle ? data : (bytesOf(data).slice() as ElementArray);
      inOrder(() => {
        if (storage.address !== 0) heap.copyIn(storage, kept);
      });
    },
    release: (storage) => inOrder(() => exports.release(storage.address)),
    run(kernel, storages, parameters, signal) {
      if (storages.length > MOST_OPERANDS || parameters.length > MOST_NUMBERS) {
        throw new Error(`internal: ${kernel} has too many operands or parameters`);
      }
      const place = places.get(kernel)!;
      queue.push(
        recorded(() => {
          // A storage without memory has been reported.
          if (signal?.aborted || storages.some((storage) => storage?.address === 0)) return;
          heap.setOperands(storages);
          heap.setNumbers(parameters);
          compute(place, kernel);
        }),
      );
    },
    packedBytes(kernel, parameters) {
      heap.setNumbers(parameters);
      return exports.packedBytes(places.get(kernel)!);
    },
    synchronize: () => wait(() => {}),
    read: (storage, into) =>
      wait(() => {
        if (storage.address !== 0) heap.copyOut(storage, into);
      }),
    close() {
      queue.drain();
      stop();
    },
  };
  return device;
}
