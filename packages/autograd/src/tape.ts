/** The tape: what was computed from what, walked backwards once. */
import { SpikeError, type DeviceTensor, type Runner } from '@spikellm/backend';
import { operationsOn, type Operations } from './operations.ts';

/** A tensor that a tape knows. */
export interface Value {
  readonly tensor: DeviceTensor;
  /** Whether it is a parameter or computed from one. */
  readonly requiresGrad: boolean;
}

/** What an operation does with the gradients of its inputs. */
export interface Gradients {
  /** Adds a gradient to what other uses of a value [N, C] gave; it may be the `dy` of the operation itself. */
  give(value: Value, gradient: DeviceTensor): void;
  /** The tensor that kernels add the gradient of this value to, zeros at first; undefined where it needs none. */
  into(value: Value | undefined): DeviceTensor | undefined;
}

/** An operation that has run. */
export interface Recorded {
  readonly inputs: readonly (Value | undefined)[];
  /** Values whose tensors `backward` reads. */
  readonly saved: readonly Value[];
  readonly backward: (dy: DeviceTensor, gradients: Gradients) => void;
}

/** What operations need of their tape. */
export interface Recorder {
  readonly runner: Runner;
  /** Takes a new tensor over; keeps the operation where one of its inputs requires a gradient. */
  record(tensor: DeviceTensor, operation: Recorded): Value;
}

/**
 * One forward and one backward pass. A tape owns every tensor that its operations compute, and the gradients; what it
 * is given stays the caller's. Tensors that the backward pass reads are freed as it goes, the others when it begins;
 * losses, and gradients of parameters, when the tape is disposed. The runner outlives the tape and keeps prepared
 * kernels for the next one.
 */
export interface Tape extends Operations, Disposable {
  /** A tensor without a gradient. */
  constant(tensor: DeviceTensor): Value;
  /** A float32 tensor that gets a gradient. */
  parameter(tensor: DeviceTensor): Value;
  /**
   * Enqueues the backward pass of the sum of the means of the losses' elements. Returns the gradient of each parameter
   * that they depend on, of the parameter's shape. Errors: INVALID_ARGUMENT for a loss that depends on no parameter of
   * this tape, and for a second call.
   */
  backward(...losses: readonly Value[]): ReadonlyMap<Value, DeviceTensor>;
  dispose(): void;
}

/** An empty tape. */
export function createTape(runner: Runner): Tape {
  const { backend } = runner;
  const steps: (Recorded & { readonly value: Value })[] = [];
  /** How many recorded operations still read a value. */
  const readers = new Map<Value, number>();
  /** Values whose tensors this tape frees. */
  const computed = new Set<Value>();
  /** Gradients that operations gave, which several values may share, and those that kernels add to. */
  const given = new Map<Value, DeviceTensor>();
  const summed = new Map<Value, DeviceTensor>();
  const holders = new Map<DeviceTensor, number>();

  const free = (value: Value): void => {
    if (computed.delete(value)) value.tensor.dispose();
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
    gradient.dispose();
  }
  /** a + b, instead of them. */
  function sum(a: DeviceTensor, b: DeviceTensor): DeviceTensor {
    const { y } = runner.run('add_f32', { a, b });
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

  function checkLoss(loss: Value): void {
    if (steps.some(({ value }) => value === loss)) return;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'backward',
      expected: 'a loss that this tape computed from a parameter, once',
      received: loss.requiresGrad ? 'one of another tape, or whose pass has been made' : 'a constant',
    });
  }

  const tape: Tape = {
    ...operationsOn({ runner, record }),
    constant: (tensor) => ({ tensor, requiresGrad: false }),
    parameter: (tensor) => ({ tensor, requiresGrad: true }),

    backward(...losses) {
      for (const loss of losses) {
        checkLoss(loss);
        summed.set(loss, hold(backend.upload(meanOver(loss.tensor.dims))));
      }
      for (const value of computed) if (!readers.has(value) && !losses.includes(value)) free(value);
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        const dy = take(step.value);
        if (dy !== undefined) {
          step.backward(dy, sink);
          drop(dy);
        }
        for (const read of step.saved) {
          const left = readers.get(read)! - 1;
          readers.set(read, left);
          if (left === 0 && !losses.includes(read)) free(read);
        }
      }
      for (const value of new Set([...given.keys(), ...summed.keys()])) summed.set(value, take(value)!);
      return summed;
    },

    dispose() {
      for (const value of computed) free(value);
      for (const gradient of holders.keys()) gradient.dispose();
      steps.length = 0;
      for (const gradients of [given, summed, holders]) gradients.clear();
    },
    [Symbol.dispose]: () => tape.dispose(),
  };
  return tape;
}

/** The derivative of the mean by each element. */
function meanOver(dims: readonly number[]): {
  type: string;
  data: Float32Array;
  dims: readonly number[];
} {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'float32', data: new Float32Array(size).fill(1 / size), dims };
}
