import type { TensorSource } from './registry.ts';

/**
 * Host memory that is given back by hand. A model is read a layer at a time, but the garbage collector does not hurry for
 * memory outside its heap: left to it, layers that are done with would stand there beside the present one.
 */
export interface Loan {
  readonly allocate: (bytes: number) => ArrayBuffer;
  /** Gives back what was allocated so far; it is empty from then on. */
  readonly free: () => void;
}

export function createLoan(): Loan {
  const buffers: ArrayBuffer[] = [];
  return {
    allocate(bytes) {
      const buffer = new ArrayBuffer(bytes, { maxByteLength: bytes });
      buffers.push(buffer);
      return buffer;
    },
    free() {
      for (const buffer of buffers) buffer.resize(0);
      buffers.length = 0;
    },
  };
}

/** Tensors that are read to be handed on. */
export interface LentTensors extends Loan {
  readonly tensors: TensorSource;
}

/** A source that takes back what it read, and other memory that is used with that. */
export function lend(source: TensorSource): LentTensors {
  const loan = createLoan();
  return {
    ...loan,
    tensors: {
      info: (name) => source.info(name),
      read: (name, options) => source.read(name, { ...options, allocate: loan.allocate }),
    },
  };
}
