/** The addon as a `Driver`: storages are shares of native memory, work is queued on one session. */
import {
  bytesPerElement,
  newElements,
  type BackendReport,
  type Driver,
  type ElementArray,
  type Implementation,
  type KernelName,
  type Letters,
} from '@spikellm/backend';
import type { Addon, InstructionSet, Storage } from './addon.ts';
import { openDevice, type Device } from './device.ts';
import { kernelCalls, type AnyKernelCall, type KernelCall, type Packing } from './kernels.ts';
import { trainingCalls } from './training-kernels.ts';

/** Constants on the device, by name, packed or as they are. */
interface Kept {
  readonly storages: Readonly<Record<string, Storage>>;
  /** Those of `storages` that are not the caller's. */
  readonly own: readonly Storage[];
  readonly bytes: number;
}
/** What `prepare` keeps. */
interface Prepared extends Kept {
  readonly call: KernelCall;
}

export function createDriver(
  addon: Addon,
  instructionSet: InstructionSet,
  threads: number,
  report: BackendReport,
): Driver<Storage> {
  const device = openDevice(addon, instructionSet, threads);
  return {
    name: 'cpu',
    report,
    kernels: Object.fromEntries(
      Object.entries({ ...kernelCalls, ...trainingCalls }).map(([name, call]) => [
        name,
        implementation(device, name, call),
      ]),
    ) as Partial<Record<KernelName, Implementation<Storage>>>,
    allocate: (type, length) => device.allocate(length * bytesPerElement(type)),
    write: (storage, data) => device.write(storage, data),
    synchronize: () => device.synchronize(),
    async read(storage, type, length) {
      const data = newElements(type, length);
      await device.read(storage, data);
      return data;
    },
    release: (storage) => device.release(storage),
    dispose: () => device.close(),
  };
}

/**
 * One kernel of the table. Constants from the host are lent to the packing kernel, which is queued like all others, or
 * kept where there is none; those on the device are borrowed.
 */
function implementation(device: Device, name: string, anyCall: AnyKernelCall): Implementation<Storage> {
  return {
    prepare(constants, letters, attributes): Prepared {
      const call = typeof anyCall === 'function' ? anyCall(attributes as never) : anyCall;
      const kept =
        call.pack === undefined
          ? keep(device, constants)
          : pack(device, call.pack, constants, letters, attributes);
      return { ...kept, call };
    },
    run({ operands, letters, attributes, scalars, packed, signal }) {
      const { call, storages } = packed as Prepared;
      device.run(
        call.native ?? name,
        call.operands.map((operand) => operands[operand] ?? storages[operand]),
        call.numbers(letters, attributes as never, scalars),
        signal,
      );
    },
    packedBytes: (packed) => (packed as Prepared).bytes,
    release: (packed) => {
      for (const storage of (packed as Prepared).own) device.release(storage);
    },
  };
}

type Constants = Readonly<Record<string, ElementArray | Storage>>;

function keep(device: Device, constants: Constants): Kept {
  const own: Storage[] = [];
  let bytes = 0;
  const storageOf = (given: ElementArray | Storage): Storage => {
    if (!ArrayBuffer.isView(given)) return given;
    bytes += given.byteLength;
    own.push(device.upload(given));
    return own.at(-1)!;
  };
  const storages = Object.fromEntries(
    Object.entries(constants).map(([name, given]) => [name, storageOf(given)]),
  );
  return { storages, own, bytes };
}

function pack(
  device: Device,
  { kernel, constants: order, numbers: numbersOf }: Packing,
  constants: Constants,
  letters: Letters,
  attributes: object,
): Kept {
  const numbers = numbersOf(letters, attributes as never);
  const bytes = device.packedBytes(kernel, numbers);
  const storage = device.allocate(bytes);
  const lent: Storage[] = [];
  const storages = order.map((constant) => {
    const given = constants[constant];
    if (!ArrayBuffer.isView(given)) return given;
    lent.push(device.upload(given));
    return lent.at(-1);
  });
  device.run(kernel, [...storages, storage], numbers);
  for (const copy of lent) device.release(copy);
  return { storages: { packed: storage }, own: [storage], bytes };
}
