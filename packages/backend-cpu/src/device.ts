/** One session of the addon as TypeScript uses it: runs by the kernel's name, faults as errors, signals as flags. */
import { SpikeError, type ElementArray } from '@spikellm/backend';
import type { Addon, Fault, Flag, InstructionSet, Storage } from './addon.ts';

/** Operands and numbers of a run at most; native/kernels/call.h has the same number of operands. */
const MOST_OPERANDS = 32;
const MOST_NUMBERS = 64;

/** Memory and a queue. Storages are valid until they are released, and the work queued before still sees them. */
export interface Device {
  /** Zero-filled memory. Errors: OUT_OF_MEMORY. */
  allocate(bytes: number): Storage;
  /** Memory with a copy of `data`. Errors: OUT_OF_MEMORY. */
  upload(data: ElementArray): Storage;
  write(storage: Storage, data: ElementArray): void;
  release(storage: Storage): void;
  /** Queues a run; an absent operand is undefined. Once `signal` is aborted the run is dropped or stopped. */
  run(
    kernel: string,
    operands: readonly (Storage | undefined)[],
    numbers: readonly number[],
    signal?: AbortSignal,
  ): void;
  /** Bytes of what a packing kernel writes. */
  packedBytes(kernel: string, numbers: readonly number[]): number;
  /** Waits for the work queued so far. Errors: what it reported. */
  synchronize(): Promise<void>;
  /** As `synchronize`, and fills `into` with the storage as it is then. */
  read(storage: Storage, into: ElementArray): Promise<void>;
  close(): void;
}

export function openDevice(addon: Addon, instructionSet: InstructionSet, threads: number): Device {
  const names = addon.kernels();
  const places = new Map(names.map((name, place) => [name, place]));
  const operands = new Int32Array(MOST_OPERANDS);
  const numbers = new Float64Array(MOST_NUMBERS);
  const session = addon.open(instructionSet, threads, operands, numbers);
  const flags = new WeakMap<AbortSignal, Flag>();

  /** The flag that a signal raises. */
  const flagOf = (signal: AbortSignal): Flag => {
    const known = flags.get(signal);
    if (known !== undefined) return known;
    const flag = addon.createFlag();
    flags.set(signal, flag);
    signal.addEventListener('abort', () => addon.raise(flag), { once: true });
    return flag;
  };
  const finish = (fault: Fault | undefined): void => {
    if (fault !== undefined) throw errorOf(fault, names[fault.kernel]);
  };

  const device: Device = {
    allocate(bytes) {
      const storage = Number.isSafeInteger(bytes) ? addon.allocate(session, bytes) : 0;
      if (storage !== 0) return storage;
      throw new SpikeError('OUT_OF_MEMORY', {
        where: 'backend-cpu',
        expected: `${bytes} bytes of memory`,
        received: 'none',
        remedy: 'use a smaller model, or a shorter text',
      });
    },
    upload(data) {
      const storage = device.allocate(data.byteLength);
      addon.write(session, storage, data);
      return storage;
    },
    write: (storage, data) => addon.write(session, storage, data),
    release: (storage) => addon.release(session, storage),
    run(kernel, storages, values, signal) {
      if (storages.length > MOST_OPERANDS || values.length > MOST_NUMBERS) {
        throw new Error(`internal: ${kernel} has too many operands or numbers`);
      }
      for (let i = 0; i < storages.length; i++) operands[i] = storages[i] ?? 0;
      for (let i = 0; i < values.length; i++) numbers[i] = values[i];
      const flag = signal && flagOf(signal);
      addon.run(session, places.get(kernel)!, storages.length, values.length, flag);
    },
    packedBytes: (kernel, values) => addon.packedBytes(places.get(kernel)!, values),
    synchronize: async () => finish(await addon.synchronize(session)),
    read: async (storage, into) => finish(await addon.read(session, storage, into)),
    close: () => addon.close(session),
  };
  return device;
}

function errorOf({ kind, index, limit }: Fault, where: string): SpikeError {
  return kind === 'index'
    ? new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `token ids from 0 to ${limit - 1}`,
        received: String(index),
      })
    : new SpikeError('OUT_OF_MEMORY', {
        where,
        expected: 'memory to work in',
        received: 'none',
        remedy: 'use a shorter text',
      });
}
