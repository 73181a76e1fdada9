/** The compiled kernels as a device. Runs are computed where they are called: nothing is queued. */
import { SpikeError, type ElementArray } from '@spikellm/backend';
import { errorOf, MOST_NUMBERS, MOST_OPERANDS, type Device } from '@spikellm/native-kernels';
import { NoMemory, STACK_POINTER, type Exports, type Storage } from './module.ts';
import { nextTurn } from './turn.ts';

export function openDevice(
  exports: Exports,
  memory: WebAssembly.Memory,
  onClose: () => void,
): Device<Storage> {
  let bytes = new Uint8Array(memory.buffer);
  let operands: Int32Array;
  let numbers: Float64Array;
  const look = (): void => {
    bytes = new Uint8Array(memory.buffer);
    operands = new Int32Array(memory.buffer, exports.operands(), MOST_OPERANDS);
    numbers = new Float64Array(memory.buffer, exports.numbers(), MOST_NUMBERS);
  };
  /** Views of the memory end where it was before it last grew. */
  const refresh = (): void => {
    if (bytes.buffer !== memory.buffer || bytes.length === 0) look();
  };
  look();
  const places = kernelPlaces(exports, bytes);
  /** What went wrong since the last wait. */
  let failure: SpikeError | undefined;

  const enter = (kernel: string, values: readonly number[]): number => {
    if (values.length > MOST_NUMBERS) throw new Error(`internal: ${kernel} has too many numbers`);
    refresh();
    for (let i = 0; i < values.length; i++) numbers[i] = values[i];
    return places.get(kernel)!;
  };
  const device: Device<Storage> = {
    allocate(size) {
      const storage = size < 2 ** 31 ? exports.allocate(size) : 0;
      if (storage === 0) throw outOfMemory(size, memory);
      return storage;
    },
    upload(data) {
      const storage = device.allocate(data.byteLength);
      device.write(storage, data);
      return storage;
    },
    write(storage, data) {
      refresh();
      bytes.set(bytesOf(data), storage);
    },
    release: (storage) => exports.release(storage),
    run(kernel, storages, values, signal) {
      if (signal?.aborted) return;
      if (storages.length > MOST_OPERANDS) throw new Error(`internal: ${kernel} has too many operands`);
      const place = enter(kernel, values);
      for (let i = 0; i < storages.length; i++) operands[i] = storages[i] ?? 0;
      const stack: number = exports[STACK_POINTER].value;
      try {
        exports.run(place);
      } catch (error) {
        if (!(error instanceof NoMemory)) throw error;
        exports[STACK_POINTER].value = stack;
        exports.abandon();
        failure ??= errorOf({ kind: 'memory', index: 0, limit: 0 }, kernel);
      }
      failure ??= takeFault(exports, memory, kernel);
    },
    packedBytes: (kernel, values) => exports.packedBytes(enter(kernel, values)),
    async synchronize() {
      await nextTurn();
      const found = failure;
      failure = undefined;
      if (found !== undefined) throw found;
    },
    async read(storage, into) {
      refresh();
      // Now: a later run may write the storage before this one is waited for.
      bytesOf(into).set(bytes.subarray(storage, storage + into.byteLength));
      await device.synchronize();
    },
    close: onClose,
  };
  return device;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ElementArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Kernels by name; the module knows them by their place in its list. */
function kernelPlaces(exports: Exports, bytes: Uint8Array): Map<string, number> {
  const places = new Map<string, number>();
  for (let place = 0, at; (at = exports.kernelName(place)) !== 0; place++) {
    places.set(String.fromCharCode(...bytes.subarray(at, bytes.indexOf(0, at))), place);
  }
  return places;
}

function takeFault(exports: Exports, { buffer }: WebAssembly.Memory, kernel: string): SpikeError | undefined {
  const view = new DataView(buffer, exports.fault(), 24);
  if (view.getInt32(0, true) === 0) return undefined;
  view.setInt32(0, 0, true);
  return errorOf(
    { kind: 'index', index: view.getFloat64(8, true), limit: view.getFloat64(16, true) },
    kernel,
  );
}

export function outOfMemory(bytes: number, memory: WebAssembly.Memory): SpikeError {
  return new SpikeError('OUT_OF_MEMORY', {
    where: 'backend-wasm',
    expected: 'a model and its caches in 2 GB, the most that WebAssembly memory holds here',
    received: `${bytes} bytes more than the ${memory.buffer.byteLength} that are in use`,
    remedy: 'use @spikellm/backend-cpu in Node, @spikellm/backend-webgpu in a page, or a smaller model',
  });
}
