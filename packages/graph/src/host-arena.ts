import type { TensorSource } from './tensors.ts';

/**
 * Host memory that is given back by hand. A model is read a layer at a time, but the garbage collector does not hurry for
 * memory outside its heap: left to it, layers that are done with would stand there beside the present one.
 */
export interface HostArena {
  readonly allocate: (bytes: number) => ArrayBuffer;
  /** Gives back what was allocated so far; it is empty from then on. */
  readonly free: () => void;
}

export function createArena(): HostArena {
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

/** Tensors that are read into an arena. */
export interface ArenaTensors extends HostArena {
  readonly tensors: TensorSource;
}

/** A source that takes back what it read, and other memory that is used with that. */
export function inArena(source: TensorSource): ArenaTensors {
  const arena = createArena();
  return {
    ...arena,
    tensors: {
      names: () => source.names(),
      info: (name) => source.info(name),
      read: (name, options) => source.read(name, { ...options, allocate: arena.allocate }),
    },
  };
}
