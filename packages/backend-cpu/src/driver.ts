/** The addon as a `Driver`: storages are shares of native memory, work is queued on one session. */
import {
  newElements,
  SpikeError,
  type BackendReport,
  type Driver,
  type ElementArray,
  type Implementation,
  type KernelName,
  type Letters,
} from '@spikellm/backend';
import type { Addon, Fault, InstructionSet, Session, Storage } from './addon.ts';
import { kernelCalls, type AnyKernelCall, type KernelCall, type Packing } from './kernels.ts';

/** What `prepare` keeps: constants by name, packed or as they are. */
interface Kept {
  readonly storages: Readonly<Record<string, Storage>>;
  /** Those of `storages` that are not the caller's. */
  readonly own: readonly Storage[];
  readonly bytes: number;
}

export function createDriver(
  addon: Addon,
  instructionSet: InstructionSet,
  threads: number,
  report: BackendReport,
): Driver<Storage> {
  const session = addon.open(instructionSet, threads);
  const names = addon.kernels();
  const places = new Map(names.map((name, place) => [name, place]));

  const allocateBytes = (bytes: number): Storage => {
    const storage = addon.allocate(session, bytes);
    if (storage !== undefined) return storage;
    throw new SpikeError('OUT_OF_MEMORY', {
      where: 'backend-cpu',
      expected: `${bytes} bytes of memory`,
      received: 'none',
      remedy: 'use a smaller model, or a shorter text',
    });
  };
  const upload = (data: ElementArray): Storage => {
    const storage = allocateBytes(data.byteLength);
    addon.write(session, storage, data);
    return storage;
  };
  /** Throws what the work queued so far has reported. */
  const finish = (fault: Fault | undefined): void => {
    if (fault !== undefined) throw errorOf(fault, names[fault.kernel]);
  };

  const context = { addon, session, places, allocateBytes, upload };
  return {
    name: 'cpu',
    report,
    kernels: Object.fromEntries(
      Object.entries(kernelCalls).map(([name, call]) => [name, implementation(context, name, call)]),
    ) as Partial<Record<KernelName, Implementation<Storage>>>,
    allocate: (type, length) => allocateBytes(length * newElements(type, 0).BYTES_PER_ELEMENT),
    write: (storage, data) => addon.write(session, storage, data),
    synchronize: async () => finish(await addon.synchronize(session)),
    async read(storage, type, length) {
      const data = newElements(type, length);
      finish(await addon.read(session, storage, data));
      return data;
    },
    release: (storage) => addon.release(storage),
    dispose: () => addon.close(session),
  };
}

interface Context {
  readonly addon: Addon;
  readonly session: Session;
  readonly places: ReadonlyMap<string, number>;
  readonly allocateBytes: (bytes: number) => Storage;
  readonly upload: (data: ElementArray) => Storage;
}

/**
 * One kernel of the table. Constants from the host are lent to the packing kernel, which is queued like all others, or
 * kept where there is none; those on the device are borrowed.
 */
function implementation(context: Context, name: string, call: AnyKernelCall): Implementation<Storage> {
  const { addon, session, places } = context;
  const callOf = (attributes: object): KernelCall =>
    typeof call === 'function' ? call(attributes as never) : call;
  return {
    run({ operands, letters, attributes, scalars, packed }) {
      const { native = name, operands: order, numbers } = callOf(attributes);
      const { storages } = packed as Kept;
      addon.run(
        session,
        places.get(native)!,
        order.map((operand) => operands[operand] ?? storages[operand]),
        numbers(letters, attributes as never, scalars),
      );
    },
    prepare: (constants, letters, attributes): Kept => {
      const { pack } = callOf(attributes);
      return pack === undefined
        ? keep(context, constants)
        : packed(context, pack, constants, letters, attributes);
    },
    packedBytes: (packed) => (packed as Kept).bytes,
    release: (packed) => (packed as Kept).own.forEach((storage) => addon.release(storage)),
  };
}

type Constants = Readonly<Record<string, ElementArray | Storage>>;

function keep({ upload }: Context, constants: Constants): Kept {
  const own: Storage[] = [];
  let bytes = 0;
  const storageOf = (given: ElementArray | Storage): Storage => {
    if (!ArrayBuffer.isView(given)) return given;
    bytes += given.byteLength;
    own.push(upload(given));
    return own.at(-1)!;
  };
  const storages = Object.fromEntries(
    Object.entries(constants).map(([name, given]) => [name, storageOf(given)]),
  );
  return { storages, own, bytes };
}

function packed(
  { addon, session, places, allocateBytes, upload }: Context,
  pack: Packing,
  constants: Constants,
  letters: Letters,
  attributes: object,
): Kept {
  const packer = places.get(pack.kernel)!;
  const numbers = pack.numbers(letters, attributes as never);
  const bytes = addon.packedBytes(packer, numbers);
  const storage = allocateBytes(bytes);
  const lent: Storage[] = [];
  const storages = pack.constants.map((constant) => {
    const given = constants[constant];
    if (!ArrayBuffer.isView(given)) return given;
    lent.push(upload(given));
    return lent.at(-1);
  });
  addon.run(session, packer, [...storages, storage], numbers);
  for (const copy of lent) addon.release(copy);
  return { storages: { packed: storage }, own: [storage], bytes };
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
