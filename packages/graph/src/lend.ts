import type { TensorSource } from './registry.ts';

/** Tensors that are read to be handed on. */
export interface LentTensors {
  readonly tensors: TensorSource;
  /** Gives the memory of all tensors read so far back; they are empty from then on. */
  readonly free: () => void;
}

/**
 * A source that takes back what it read. Loading reads a model through host memory a layer at a time, but the garbage
 * collector does not hurry for memory outside its heap: left to it, the whole model would stand there once more.
 */
export function lend(source: TensorSource): LentTensors {
  const buffers: ArrayBuffer[] = [];
  const allocate = (bytes: number): ArrayBuffer => {
    const buffer = new ArrayBuffer(bytes, { maxByteLength: bytes });
    buffers.push(buffer);
    return buffer;
  };
  return {
    tensors: {
      info: (name) => source.info(name),
      read: (name, options) => source.read(name, { ...options, allocate }),
    },
    free() {
      for (const buffer of buffers) buffer.resize(0);
      buffers.length = 0;
    },
  };
}
