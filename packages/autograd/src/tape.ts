/** The tape: what was computed from what, walked backwards once. */
import { SpikeError, type DeviceTensor, type HostTensor } from '@spikellm/backend';
import type { Operations } from './operations.ts';
import { operationsOn } from './recording.ts';
import type { Gradients, Recorded, Value } from './value.ts';
import type { Workspace } from './workspace.ts';

/**
 * One forward and one backward pass. A tape owns every tensor that its operations compute, and the gradients; device
 * tensors that it is given stay the caller's. Tensors that the backward pass reads are freed as it goes, the others when
 * it begins; losses, and the gradients that it returns, when the tape is disposed.
 */
export interface Tape extends Operations, Disposable {
  /** A tensor without a gradient. One from the host is uploaded, and is the tape's. */
  constant(tensor: DeviceTensor | HostTensor): Value;
  /** A float32 tensor that gets a gradient. One from the host is uploaded, and is the tape's. */
  parameter(tensor: DeviceTensor | HostTensor): Value;
  /**
   * Enqueues the backward pass of the sum of the means of the losses' elements. Returns the gradients of the parameters that
   * the losses depend on, each of its value's shape. Errors: INVALID_ARGUMENT for a loss that depends
   * on no parameter of this tape, and for a second pass.
   */
  backward(...losses: readonly Value[]): ReadonlyMap<Value, DeviceTensor>;
  /** As `backward`, from the gradient of a value: layer by layer, that of the next layer's input. Errors also: SHAPE. */
  backwardFrom(value: Value, gradient: HostTensor): ReadonlyMap<Value, DeviceTensor>;
  dispose(): void;
}

/** An empty tape. */
export function createTape(workspace: Workspace): Tape {
  const { backend } = workspace.runner;
  const steps: (Recorded & { readonly value: Value })[] = [];
  /** How many recorded operations still read a value. */
  const readers = new Map<Value, number>();
  /** Values whose tensors this tape has made and frees. */
  const computed = new Set<Value>();
  /** Gradients that operations gave, which several values may share, and those that kernels add to. */
  const given = new Map<Value, DeviceTensor>();
  const summed = new Map<Value, DeviceTensor>();
  const holders = new Map<DeviceTensor, number>();

  const free = (value: Value): void => {
    if (computed.delete(value)) workspace.release(value.tensor);
  };
  function hold(gradient: DeviceTensor): DeviceTensor {
    holders.set(gradient, (holders.get(gradient) ?? 0) + 1);
    return gradient;
  }
  function drop(gradient: DeviceTensor): void {
    const left = holders.get(gradient)! - 1;
    holders.set(gradient, left);
    if (left > 0) return;
    holders.delete(gradient);
    workspace.release(gradient);
  }
  /** a + b, instead of them. */
  function sum(a: DeviceTensor, b: DeviceTensor): DeviceTensor {
    const y = workspace.take(a.dims);
    workspace.run('add_f32', { a, b, y });
    drop(a);
    drop(b);
    return hold(y);
  }
  const sink: Gradients = {
    give(value, gradient) {
      hold(gradient);
      const before = given.get(value);
      if (value.requiresGrad) given.set(value, before ? sum(before, gradient) : gradient);
      else drop(gradient);
    },
    into(value) {
      if (value === undefined || !value.requiresGrad) return undefined;
      const gradient = summed.get(value) ?? hold(backend.allocate('float32', value.tensor.dims));
      summed.set(value, gradient);
      return gradient;
    },
  };
  /** The whole gradient of a value, if there is one; it is the caller's to drop. */
  function take(value: Value): DeviceTensor | undefined {
    const parts = [given.get(value), summed.get(value)].filter((part) => part !== undefined);
    given.delete(value);
    summed.delete(value);
    return parts.length === 2 ? sum(parts[0], parts[1]) : parts[0];
  }

  function leaf(tensor: DeviceTensor | HostTensor, requiresGrad: boolean): Value {
    if ('disposed' in tensor) return { tensor, requiresGrad };
    const value: Value = { tensor: backend.upload(tensor), requiresGrad };
    computed.add(value);
    return value;
  }

  function record(tensor: DeviceTensor, operation: Recorded): Value {
    const requiresGrad = operation.inputs.some((input) => input?.requiresGrad);
    const value: Value = { tensor, requiresGrad };
    computed.add(value);
    if (requiresGrad) {
      steps.push({ ...operation, value });
      for (const read of operation.saved) readers.set(read, (readers.get(read) ?? 0) + 1);
    }
    return value;
  }

  /** Starts from a gradient of a value that this tape computed. */
  function seed(value: Value, gradient: HostTensor): void {
    if (!steps.some((step) => step.value === value) || summed.has(value)) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: 'backward',
        expected: 'values that this tape computed from a parameter, each once, and one pass',
        received: value.requiresGrad ? 'one given twice, of another tape, or after its pass' : 'a constant',
      });
    }
    const { dims } = value.tensor;
    if (gradient.dims.length !== dims.length || gradient.dims.some((dim, axis) => dim !== dims[axis])) {
      throw new SpikeError('SHAPE', {
        where: 'backwardFrom',
        expected: `a gradient of [${dims.join(', ')}]`,
        received: `[${gradient.dims.join(', ')}]`,
      });
    }
    summed.set(value, hold(backend.upload(gradient)));
  }

  /** Walks back from the seeds. */
  function walk(seeded: readonly Value[]): ReadonlyMap<Value, DeviceTensor> {
    const gradients = new Map<Value, DeviceTensor>();
    for (const value of computed) if (!readers.has(value) && !seeded.includes(value)) free(value);
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const dy = take(step.value);
      if (dy !== undefined) {
        step.backward(dy, sink);
        drop(dy);
      }
      for (const read of step.saved) {
        const left = readers.get(read)! - 1;
        readers.set(read, left);
        if (left === 0 && !seeded.includes(read)) free(read);
      }
    }
    for (const value of new Set([...given.keys(), ...summed.keys()])) gradients.set(value, take(value)!);
    return gradients;
  }

  const tape: Tape = {
    ...operationsOn({ workspace, record }),
    constant: (tensor) => leaf(tensor, false),
    parameter: (tensor) => leaf(tensor, true),

    backward(...losses) {
      for (const loss of losses) seed(loss, meanOver(loss.tensor.dims));
      return walk(losses);
    },
    backwardFrom(value, gradient) {
      seed(value, gradient);
      return walk([value]);
    },

    dispose() {
      for (const value of computed) free(value);
      for (const gradient of holders.keys()) workspace.release(gradient);
      steps.length = 0;
      for (const gradients of [given, summed, holders]) gradients.clear();
    },
    [Symbol.dispose]: () => tape.dispose(),
  };
  return tape;
}

/** The derivative of the mean by each element. */
function meanOver(dims: readonly number[]): HostTensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'float32', data: new Float32Array(size).fill(1 / size), dims };
}
