/** The kernels of ../native on a device, as a `Driver`. */
import {
  bytesPerElement,
  newElements,
  type BackendReport,
  type Driver,
  type ElementArray,
  type Implementation,
  type KernelName,
  type Dims,
} from '@spikellm/backend';
import type { Device } from './device.ts';
import { kernelCalls, type AnyKernelCall, type KernelCall, type Packing } from './kernels.ts';
import { trainingCalls } from './training-kernels.ts';

/** Constants on the device, by name, packed or as they are. */
interface Kept<Storage> {
  readonly storages: Readonly<Record<string, Storage>>;
  /** Those of `storages` that are not the caller's. */
  readonly own: readonly Storage[];
  readonly bytes: number;
}
/** What `prepare` keeps. */
interface Prepared<Storage> extends Kept<Storage> {
  readonly call: KernelCall;
}

/** A driver of the name `name` for every kernel; it owns `device` and closes it. */
export function createNativeDriver<Storage>(
  name: string,
  device: Device<Storage>,
  report: BackendReport,
): Driver<Storage> {
  return {
    name,
    report,
    kernels: Object.fromEntries(
      Object.entries({ ...kernelCalls, ...trainingCalls }).map(([kernel, call]) => [
        kernel,
        implementation(device, kernel, call),
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
function implementation<Storage>(
  device: Device<Storage>,
  name: string,
  anyCall: AnyKernelCall,
): Implementation<Storage> {
  return {
    prepare(constants, dims, attributes): Prepared<Storage> {
      const call = typeof anyCall === 'function' ? anyCall(attributes as never) : anyCall;
      const kept =
        call.pack === undefined
          ? keep(device, constants)
          : pack(device, call.pack, constants, dims, attributes);
      return { ...kept, call };
    },
    run({ operands, dims, attributes, scalars, packed, signal }) {
      const { call, storages } = packed as Prepared<Storage>;
      device.run(
        call.native ?? name,
        call.operands.map((operand) => operands[operand] ?? storages[operand]),
        call.parameters(dims, attributes as never, scalars),
        signal,
      );
    },
    packedBytes: (packed) => (packed as Prepared<Storage>).bytes,
    release: (packed) => {
      for (const storage of (packed as Prepared<Storage>).own) device.release(storage);
    },
  };
}

type Constants<Storage> = Readonly<Record<string, ElementArray | Storage>>;

function keep<Storage>(device: Device<Storage>, constants: Constants<Storage>): Kept<Storage> {
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

function pack<Storage>(
  device: Device<Storage>,
  { kernel, constants: order, parameters: parametersOf }: Packing,
  constants: Constants<Storage>,
  dims: Dims,
  attributes: object,
): Kept<Storage> {
  const parameters = parametersOf(dims, attributes as never);
  const bytes = device.packedBytes(kernel, parameters);
  const storage = device.allocate(bytes, true);
  const lent: Storage[] = [];
  const storages = order.map((constant) => {
    const given = constants[constant];
    if (!ArrayBuffer.isView(given)) return given;
    lent.push(device.upload(given));
    return lent.at(-1);
  });
  device.run(kernel, [...storages, storage], parameters);
  for (const copy of lent) device.release(copy);
  return { storages: { packed: storage }, own: [storage], bytes };
}
