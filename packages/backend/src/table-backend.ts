/**
 * What every backend does alike, written once: looks rows up in the kernel table, checks attributes, shapes, types and
 * lifetimes, counts bytes, and runs the default body of composite kernels. A concrete backend is a `Driver`: memory and
 * kernels, with nothing left to check.
 */
import { Tensor } from 'onnxruntime-common';
import type { Backend, PreparedKernel, WaitOptions } from './backend.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';
import { composites, type Composite } from './composites.ts';
import type { Call, Driver, Implementation } from './driver.ts';
import { sizeOf, type ElementArray, type ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';
import { checkTensor, hostElements } from './host.ts';
import type { KernelRow, Dims, Operand } from './kernel.ts';
import { ResourceTracker, refuseDisposed, Resource, StoredTensor } from './resource.ts';
import { createRunner } from './runner.ts';
import {
  attributeDims,
  bindOperands,
  checkAttributes,
  checkScalars,
  createBinder,
  operandsOf,
  type Binder,
} from './shapes.ts';
import { kernels, type KernelName } from './table/index.ts';

type Anything = Readonly<Record<string, DeviceTensor | HostTensor | undefined>>;

/** How a kernel runs: a driver's own takes the storages of the call, a default body the tensors. */
interface Body<Storage> {
  readonly run: (call: Call<Storage>, tensors: Anything) => void;
  /** What the driver's implementation has packed. */
  readonly packed?: unknown;
  readonly bytes: number;
  readonly release: () => void;
}

/** A kernel of this backend, and what its dispatches need again and again. */
class Ready<Storage> extends Resource {
  readonly kernel: KernelName;
  readonly attributes: object;
  readonly dims: Dims;
  readonly row: KernelRow;
  /** The operands of a dispatch. */
  readonly names: readonly string[];
  readonly bind: Binder;
  readonly run: Body<Storage>['run'];
  readonly packed: unknown;

  constructor(
    tracker: ResourceTracker,
    kernel: KernelName,
    attributes: object,
    named: Dims,
    { run, packed, bytes, release }: Body<Storage>,
  ) {
    super(tracker, bytes, release);
    this.kernel = kernel;
    this.attributes = attributes;
    this.dims = named;
    this.row = kernels[kernel];
    const declared = operandsOf(this.row, ['input', 'state', 'output']);
    this.names = declared.map(([name]) => name);
    this.bind = createBinder(kernel, declared, attributes, named);
    this.run = run;
    this.packed = packed;
  }
}

const isDeviceTensor = (tensor: HostTensor | DeviceTensor): tensor is DeviceTensor => 'disposed' in tensor;

/** A backend from a driver. */
export function createTableBackend<Storage>(driver: Driver<Storage>): Backend {
  const tracker = new ResourceTracker();
  let closed = false;
  /** Of the innermost `abortable`. */
  let signal: AbortSignal | undefined;

  const adopt = (type: ElementType, dims: readonly number[], storage: Storage): DeviceTensor =>
    new StoredTensor(tracker, type, dims, storage, driver);

  function owned(where: string, name: string, tensor: DeviceTensor | HostTensor): StoredTensor<Storage> {
    const candidate = tensor as StoredTensor<Storage>;
    if (candidate.tracker !== tracker) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `${name} to be a tensor of this backend (${driver.name})`,
        received: 'a tensor from elsewhere',
        remedy: 'upload it first',
      });
    }
    if (candidate.disposed) refuseDisposed(`${where}, ${name}`, 'tensor');
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
    named: Dims,
    attributes: object,
  ): Body<Storage> {
    const packed = implementation.prepare?.(constants, named, attributes);
    return {
      run: (call) => implementation.run(call),
      packed,
      bytes: implementation.packedBytes?.(packed) ?? 0,
      release: () => implementation.release?.(packed),
    };
  }

  /** The default body of a composite kernel, run on this backend. */
  function prepareComposite(composite: Composite, constants: Anything, attributes: object): Body<Storage> {
    const runner = createRunner(backend);
    try {
      const body = composite(runner, attributes, constants);
      return {
        run: ({ scalars }, tensors) => runner.scope(() => body(tensors as never, scalars)),
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
      return tracker.bytes;
    },

    supports: (kernel) =>
      driver.kernels[kernel] !== undefined ||
      (composites[kernel]?.needs.every((needed) => backend.supports(needed)) ?? false),

    upload(tensor) {
      if (closed) refuseDisposed('upload', 'backend');
      const data = hostElements('upload', tensor);
      const storage = driver.allocate(tensor.type as ElementType, data.length);
      driver.write(storage, data);
      return adopt(tensor.type as ElementType, tensor.dims, storage);
    },

    allocate(type, dims) {
      if (closed) refuseDisposed('allocate', 'backend');
      checkTensor('allocate', type, dims);
      return adopt(type, dims, driver.allocate(type, sizeOf(dims)));
    },

    prepare(name, attributes, constants) {
      if (closed) refuseDisposed('prepare', 'backend');
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
      const named = attributeDims(row, attributes);
      const declared = operandsOf(row, ['constant']);
      bindOperands(where, declared, constants, attributes, named);
      const elements = constantElements(where, declared, constants, attributes);
      const body =
        implementation === undefined
          ? prepareComposite(composite!.body, constants, attributes)
          : prepareOwn(implementation, elements, named, attributes);
      const ready = new Ready(tracker, name, attributes, named, body);
      return ready as unknown as PreparedKernel<typeof name>;
    },

    dispatch(prepared, operands, scalars) {
      const ready = prepared as unknown as Ready<Storage>;
      const { kernel: where, row, names, attributes } = ready;
      if (ready.tracker !== tracker) {
        throw new SpikeError('INVALID_ARGUMENT', {
          where,
          expected: `a kernel that this backend (${driver.name}) prepared`,
          received: 'a kernel from elsewhere',
          remedy: 'prepare it here',
        });
      }
      if (ready.disposed) refuseDisposed(where, 'kernel');
      const given = operands as Anything;
      checkScalars(where, row, scalars);
      const named = ready.bind(given);
      const violation = row.check?.(named, attributes as never, scalars);
      if (violation !== undefined) throw new SpikeError('INVALID_ARGUMENT', { where, ...violation });
      const storages: Record<string, Storage> = {};
      for (const name of names) {
        const tensor = given[name];
        if (tensor !== undefined) storages[name] = owned(where, name, tensor).storage;
      }
      refuseAliases(where, row, names, given);
      if (signal?.aborted) return;
      const { packed } = ready;
      ready.run({ operands: storages, dims: named, attributes, scalars, packed, signal }, given);
    },

    abortable(given, body) {
      const outer = signal;
      signal = given ?? outer;
      try {
        return body();
      } finally {
        signal = outer;
      }
    },

    async synchronize(options: WaitOptions = {}) {
      if (closed) refuseDisposed('synchronize', 'backend');
      await driver.synchronize();
      options.signal?.throwIfAborted();
    },

    async read(tensor, options: WaitOptions = {}) {
      const { storage, type, dims } = owned('read', 'tensor', tensor);
      const data = await driver.read(storage, type, sizeOf(dims));
      options.signal?.throwIfAborted();
      return new Tensor(type, data as Float32Array, dims);
    },

    dispose() {
      if (closed) return;
      closed = true;
      tracker.clear();
      driver.dispose?.();
    },
    [Symbol.dispose]: () => backend.dispose(),
  };
  return backend;
}

/** An output or state that is also another operand of the call would be read while it is written. */
function refuseAliases(where: string, row: KernelRow, names: readonly string[], tensors: Anything): void {
  for (const written of names) {
    const tensor = tensors[written];
    if (tensor === undefined || row.operands[written].role === 'input') continue;
    for (const name of names) {
      if (name === written || tensors[name] !== tensor) continue;
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `${written} to be a tensor of its own`,
        received: `the tensor that is also ${name}`,
      });
    }
  }
}
