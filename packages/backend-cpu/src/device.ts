/** One session of the addon as TypeScript uses it: runs by the kernel's name, faults as errors, signals as flags. */
import { SpikeError } from '@spikellm/backend';
import { errorOf, MOST_NUMBERS, MOST_OPERANDS, type Device, type Fault } from '@spikellm/native-kernels';
import type { Addon, Flag, InstructionSet, Storage } from './addon.ts';

export function openDevice(addon: Addon, instructionSet: InstructionSet, threads: number): Device<Storage> {
  const names = addon.kernels();
  const places = new Map(names.map((name, place) => [name, place]));
  const operands = new Int32Array(MOST_OPERANDS);
  const parameters = new Float64Array(MOST_NUMBERS);
  const session = addon.open(instructionSet, threads, operands, parameters);
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

  const device: Device<Storage> = {
    allocate(bytes, lasting = false) {
      const storage = Number.isSafeInteger(bytes) ? addon.allocate(session, bytes, lasting) : 0;
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
        throw new Error(`internal: ${kernel} has too many operands or parameters`);
      }
      for (let i = 0; i < storages.length; i++) operands[i] = storages[i] ?? 0;
      for (let i = 0; i < values.length; i++) parameters[i] = values[i];
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
