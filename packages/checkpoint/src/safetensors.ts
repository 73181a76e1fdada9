import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import type { Tensor } from 'onnxruntime-common';
import { checkFinite, dtypeNames, isDtype, tensorFrom } from './dtype.ts';
import { fileError, readAt } from './files.ts';
import { headerLength, LENGTH_BYTES, parseHeader, type Header, type TensorInfo } from './header.ts';
import type { FilesOption, OpenFile } from './store.ts';

/** Named tensors that are read when asked for. */
export interface TensorSource {
  names(): Iterable<string>;
  info(name: string): TensorInfo | undefined;
  /**
   * Reads one tensor; nothing else is held in memory.
   *
   * `as: 'float32'` (the default) gives F16, BF16 and F64 as float32. `as: 'stored'` gives F16 as float16 and F64 as
   * float64; BF16, for which there is no tensor type, is float16 where that holds every value and float32 where not.
   * Integers and BOOL are what they are.
   *
   * Errors: MISSING, UNSUPPORTED (dtype), NOT_FINITE (a float tensor with NaN or infinity), CORRUPT_FILE (the file became shorter),
   * DISPOSED (after close), OUT_OF_MEMORY; rejects with the signal's reason when aborted.
   */
  read(name: string, options?: ReadOptions): Promise<Tensor>;
}

export interface ReadOptions {
  readonly as?: 'float32' | 'stored';
  /**
   * Memory for the tensor, for callers that give it back themselves: a buffer of that many bytes. Without it the buffers
   * are new, and free when the garbage collector finds them.
   */
  readonly allocate?: (bytes: number) => ArrayBuffer;
  readonly signal?: AbortSignal;
}

/** One open safetensors file. */
export interface SafetensorsFile extends TensorSource, AsyncDisposable {
  readonly path: string;
  /** The file's `__metadata__`; empty where it has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Closes the file once the reads under way are done. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a safetensors file and checks its whole header. Tensors stay on disk until they are read.
 * Errors: MISSING, CORRUPT_FILE.
 *
 * @example
 * await using file = await openSafetensors('model.safetensors');
 * for (const name of file.names()) console.log(name, file.info(name)?.shape);
 */
export async function openSafetensors(
  path: string,
  { files = host.files() }: FilesOption = {},
): Promise<SafetensorsFile> {
  const opened = await files.open(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    const { header, dataStart } = await readHeader(path, opened);
    return createFile(path, opened, header, dataStart);
  } catch (error) {
    await opened.close();
    throw fileError(path, error);
  }
}

async function readHeader(path: string, opened: OpenFile): Promise<{ header: Header; dataStart: number }> {
  const { size } = opened;
  const start = new Uint8Array(Math.min(size, LENGTH_BYTES));
  await readAt(opened, start, 0);
  const bytes = new Uint8Array(headerLength(path, start, size));
  await readAt(opened, bytes, LENGTH_BYTES);
  return { header: parseHeader(path, bytes, size), dataStart: LENGTH_BYTES + bytes.length };
}

function createFile(path: string, opened: OpenFile, header: Header, dataStart: number): SafetensorsFile {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= opened.close());
  return {
    path,
    metadata: header.metadata,
    names: () => header.tensors.keys(),
    info: (name) => header.tensors.get(name),
    async read(name, { as = 'float32', allocate = newBuffer, signal } = {}) {
      const place = header.tensors.get(name);
      if (place === undefined) throw missingTensor(path, name);
      if (closing !== undefined) {
        throw new SpikeError('DISPOSED', { where: path, expected: 'an open file', received: 'a closed one' });
      }
      const { dtype } = place;
      if (!isDtype(dtype)) {
        throw new SpikeError('UNSUPPORTED', {
          where: `${path}: tensor ${name}`,
          expected: `a dtype of ${dtypeNames.join(', ')}`,
          received: dtype,
          remedy: 'take the float model that this one was made from',
        });
      }
      const memory = (size: number): ArrayBuffer => allocated(`${path}: tensor ${name}`, size, allocate);
      const buffer = memory(place.bytes);
      const found = await readAt(opened, new Uint8Array(buffer), dataStart + place.begin, signal);
      if (found < place.bytes) {
        throw new SpikeError('CORRUPT_FILE', {
          where: `${path}: tensor ${name}`,
          expected: `${place.bytes} bytes`,
          received: `${found} bytes`,
          remedy: 'the file was cut short while it was read: copy or download it again',
        });
      }
      const tensor = tensorFrom(dtype, place.shape, buffer, as, memory);
      if ((tensor.data as Uint8Array).buffer !== buffer && buffer.resizable) buffer.resize(0);
      checkFinite(path, name, tensor);
      return tensor;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export const newBuffer = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes);

/** The memory that `allocate` gives. Errors: OUT_OF_MEMORY, of `where`. */
export function allocated(
  where: string,
  bytes: number,
  allocate: (bytes: number) => ArrayBuffer,
): ArrayBuffer {
  try {
    return allocate(bytes);
  } catch (error) {
    throw new SpikeError('OUT_OF_MEMORY', {
      where,
      expected: `${bytes} bytes of memory`,
      received: (error as Error).message,
      remedy: 'free some memory, or use a smaller model',
      cause: error,
    });
  }
}

/** The error of a tensor that `where`, a file or folder, should hold. */
export const missingTensor = (where: string, name: string): SpikeError =>
  new SpikeError('MISSING', { where, expected: `tensor ${name}`, received: 'none of that name' });
