/**
 * What every backend does alike, written once: looks rows up in the kernel table, checks attributes, shapes, types and
 * lifetimes, counts bytes, and runs the default body of composite kernels. A concrete backend is a `Driver`: memory and
 * kernels, with nothing left to check.
 */
import { Tensor } from 'onnxruntime-common';
import type { Backend, PreparedKernel } from './backend.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';
import { composites, type Composite } from './composites.ts';
import type { Call, Driver, Implementation } from './driver.ts';
import { bytesPerElement, sizeOf, type ElementArray, type ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';
import { checkTensor, hostElements } from './host.ts';
import type { KernelRow, Letters, Operand } from './kernel.ts';
import { createRunner } from './runner.ts';
import { attributeLetters, bindOperands, checkAttributes, checkScalars, operandsOf } from './shapes.ts';
import { kernels } from './table/index.ts';

interface OwnedTensor<Storage> extends DeviceTensor {
  readonly owner: object;
  readonly storage: Storage;
}

type Run<Storage> = (
  operands: Record<string, OwnedTensor<Storage>>,
  call: Omit<Call<Storage>, 'operands' | 'packed'>,
) => void;

interface Prepared<Storage> {
  readonly run: Run<Storage>;
  readonly bytes: number;
  readonly release: () => void;
}

interface Ready<Storage> extends PreparedKernel {
  readonly owner: object;
  readonly disposed: boolean;
  readonly run: Run<Storage>;
}

type Anything = Readonly<Record<string, DeviceTensor | HostTensor | undefined>>;

const isDeviceTensor = (tensor: HostTensor | DeviceTensor): tensor is DeviceTensor => 'disposed' in tensor;

/** A backend from a driver. */
export function createTableBackend<Storage>(driver: Driver<Storage>): Backend {
  const owner = {};
  const live = new Set<{ dispose(): void }>();
  let liveBytes = 0;
  let closed = false;

  function refuse(where: string, what: string): never {
    throw new SpikeError('DISPOSED', { where, expected: `a live ${what}`, received: `a disposed ${what}` });
  }
  function track<T extends { dispose(): void }>(resource: T, bytes: number, release: () => void): T {
    live.add(resource);
    liveBytes += bytes;
    resource.dispose = () => {
      if (!live.delete(resource)) return;
      liveBytes -= bytes;
      release();
    };
    return resource;
  }

  function adopt(type: ElementType, dims: readonly number[], storage: Storage): OwnedTensor<Storage> {
    const tensor: OwnedTensor<Storage> = {
      owner,
      type,
      dims: [...dims],
      storage,
      get disposed() {
        return !live.has(tensor);
      },
      dispose() {},
      [Symbol.dispose]: () => tensor.dispose(),
    };
    return track(tensor, sizeOf(dims) * bytesPerElement(type), () => driver.release(storage));
  }

  function owned(where: string, name: string, tensor: DeviceTensor | HostTensor): OwnedTensor<Storage> {
    const candidate = tensor as OwnedTensor<Storage>;
    if (candidate.owner !== owner) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `${name} to be a tensor of this backend (${driver.name})`,
        received: 'a tensor from elsewhere',
        remedy: 'upload it first',
      });
    }
    if (candidate.disposed) refuse(`${where}, ${name}`, 'tensor');
    return candidate;
  }

  /** Constants as a driver gets them: host memory, its values checked, or the storage of a device tensor. */
  function constantElements(
    where: string,
    declared: readonly [string, Operand][],
    constants: Anything,
    attributes: object,
  ): Record<string, ElementArray | Storage> {
    const elements: Record<string, ElementArray | Storage> = {};
    for (const [name, operand] of declared) {
      const tensor = constants[name];
      if (tensor === undefined) continue;
      if (isDeviceTensor(tensor)) {
        elements[name] = owned(where, name, tensor).storage;
      } else {
        const values = hostElements(`${where}, ${name}`, tensor);
        operand.checkValues?.(values, attributes as never, where);
        elements[name] = values;
      }
    }
    return elements;
  }

  /** The driver's own kernel: constants are handed over once, then each run gets storages. */
  function prepareOwn(
    implementation: Implementation<Storage>,
    constants: Readonly<Record<string, ElementArray | Storage>>,
    letters: Letters,
    attributes: object,
  ): Prepared<Storage> {
    const packed = implementation.prepare?.(constants, letters, attributes);
    return {
      run: (operands, call) => {
        const storages = Object.fromEntries(
          Object.entries(operands).map(([name, tensor]) => [name, tensor.storage]),
        );
        implementation.run({ ...call, operands: storages, packed });
      },
      bytes: implementation.packedBytes?.(packed) ?? 0,
      release: () => implementation.release?.(packed),
    };
  }

  /** The default body of a composite kernel, run on this backend. */
  function prepareComposite(
    composite: Composite,
    constants: Anything,
    attributes: object,
  ): Prepared<Storage> {
    const runner = createRunner(backend);
    try {
      const body = composite(runner, attributes, constants);
      return {
        run: (operands, { scalars }) => runner.scope(() => body(operands, scalars)),
        bytes: 0,
        release: () => runner.dispose(),
      };
    } catch (error) {
      runner.dispose();
      throw error;
    }
  }

  const backend: Backend = {
    name: driver.name,
    report: driver.report,
    get liveBytes() {
      return liveBytes;
    },

    supports: (kernel) =>
      driver.kernels[kernel] !== undefined ||
      (composites[kernel]?.needs.every((needed) => backend.supports(needed)) ?? false),

    upload(tensor) {
      if (closed) refuse('upload', 'backend');
      const data = hostElements('upload', tensor);
      const storage = driver.allocate(tensor.type as ElementType, data.length);
      driver.write(storage, data);
      return adopt(tensor.type as ElementType, tensor.dims, storage);
    },

    allocate(type, dims) {
      if (closed) refuse('allocate', 'backend');
      checkTensor('allocate', type, dims);
      return adopt(type, dims, driver.allocate(type, sizeOf(dims)));
    },

    prepare(name, attributes, constants) {
      if (closed) refuse('prepare', 'backend');
      const row: KernelRow = kernels[name];
      const where = `prepare ${name}`;
      const implementation = driver.kernels[name];
      const composite = composites[name];
      if (!backend.supports(name) || (implementation === undefined && composite === undefined)) {
        throw new SpikeError('UNSUPPORTED', {
          where,
          expected: `a kernel that the ${driver.name} backend has`,
          received: name,
          remedy: 'choose another backend, the reference backend has every kernel',
        });
      }
      checkAttributes(where, row, attributes);
      const letters = attributeLetters(row, attributes);
      const declared = operandsOf(row, ['constant']);
      bindOperands(where, declared, constants, attributes, letters);
      const elements = constantElements(where, declared, constants, attributes);
      const { run, bytes, release } =
        implementation === undefined
          ? prepareComposite(composite!.body, constants, attributes)
          : prepareOwn(implementation, elements, letters, attributes);
      const ready: Ready<Storage> = {
        owner,
        kernel: name,
        attributes,
        letters,
        run,
        get disposed() {
          return !live.has(ready);
        },
        dispose() {},
        [Symbol.dispose]: () => ready.dispose(),
      };
      return track(ready, bytes, release) as unknown as PreparedKernel<typeof name>;
    },

    dispatch(prepared, operands, scalars) {
      const ready = prepared as unknown as Ready<Storage>;
      const where = prepared.kernel;
      if (ready.owner !== owner) {
        throw new SpikeError('INVALID_ARGUMENT', {
          where,
          expected: `a kernel that this backend (${driver.name}) prepared`,
          received: 'a kernel from elsewhere',
          remedy: 'prepare it here',
        });
      }
      if (ready.disposed) refuse(where, 'kernel');
      const row: KernelRow = kernels[prepared.kernel];
      const given = operands as Anything;
      checkScalars(where, row, scalars);
      const letters: Record<string, number> = { ...ready.letters };
      const declared = operandsOf(row, ['input', 'state', 'output']);
      bindOperands(where, declared, given, ready.attributes, letters);
      const complaint = row.check?.(letters, ready.attributes as never, scalars);
      if (complaint !== undefined) throw new SpikeError('INVALID_ARGUMENT', { where, ...complaint });
      const tensors: Record<string, OwnedTensor<Storage>> = {};
      for (const [name] of declared) {
        const tensor = given[name];
        if (tensor !== undefined) tensors[name] = owned(where, name, tensor);
      }
      refuseAliases(where, row, tensors);
      ready.run(tensors, { letters, attributes: ready.attributes, scalars });
    },

    async synchronize() {
      if (closed) refuse('synchronize', 'backend');
      await driver.synchronize();
    },

    async read(tensor) {
      const { storage, type, dims } = owned('read', 'tensor', tensor);
      const data = await driver.read(storage, type, sizeOf(dims));
      return new Tensor(type, data as Float32Array, dims);
    },

    dispose() {
      if (closed) return;
      closed = true;
      for (const resource of live) resource.dispose();
      driver.dispose?.();
    },
    [Symbol.dispose]: () => backend.dispose(),
  };
  return backend;
}

/** An output or state that is also another operand of the call would be read while it is written. */
function refuseAliases(where: string, row: KernelRow, tensors: Record<string, DeviceTensor>): void {
  const entries = Object.entries(tensors);
  for (const [written, tensor] of entries) {
    if (row.operands[written].role === 'input') continue;
    const twin = entries.find(([name, other]) => name !== written && other === tensor);
    if (twin !== undefined) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `${written} to be a tensor of its own`,
        received: `the tensor that is also ${twin[0]}`,
      });
    }
  }
}
