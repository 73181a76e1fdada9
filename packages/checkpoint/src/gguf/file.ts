import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import { Tensor } from 'onnxruntime-common';
import { checkFinite, tensorFrom, type SafetensorsDtype } from '../dtype.ts';
import { fileError, readAt } from '../files.ts';
import { allocated, newBuffer, type ReadOptions } from '../safetensors.ts';
import type { FilesOption, OpenFile } from '../store.ts';
import { checkReadable } from './blocks.ts';
import { corrupt, CUT_SHORT } from './errors.ts';
import type { DecodeBlock } from './half.ts';
import { readHeader, type GgufHeader, type GgufTensor } from './header.ts';

/** Blocks are decoded from pieces of about this many bytes, so that the bytes of a tensor are never all in memory. */
const PIECE_BYTES = 2 ** 20;

/** Rows in another order than in the file. */
export interface RowOrder {
  /** Values of a row. */
  readonly length: number;
  /** Which row a stored row becomes, both counted from the first of the view. */
  readonly placeOf: (row: number) => number;
}

/** A tensor as it is wanted: part of one of a file, perhaps with its rows in another order. */
export interface TensorView {
  readonly stored: GgufTensor;
  readonly shape: readonly number[];
  /** The first value, counted in the stored tensor; whole rows lie before it. */
  readonly first: number;
  /** As stored where absent. */
  readonly order?: RowOrder;
  /** What the file has added to every value: it is taken away, in float32. */
  readonly added?: number;
}

/** One open GGUF file. */
export interface GgufFile extends GgufHeader, AsyncDisposable {
  readonly path: string;
  /** Reads a view as `TensorSource.read` does, blocks as float32. Errors: also UNSUPPORTED (type of block). */
  read(name: string, view: TensorView, options?: ReadOptions): Promise<Tensor>;
  /** Closes the file. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens one GGUF file and checks its header. Tensors stay on disk until they are read.
 * Errors: MISSING, CORRUPT_FILE, UNSUPPORTED.
 */
export async function openGgufFile(
  path: string,
  { files = host.files() }: FilesOption = {},
): Promise<GgufFile> {
  const opened = await files.open(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    return createFile(path, opened, await readHeader(path, opened));
  } catch (error) {
    await opened.close();
    throw fileError(path, error);
  }
}

function createFile(path: string, opened: OpenFile, header: GgufHeader): GgufFile {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= opened.close());
  return {
    path,
    ...header,
    async read(name, view, options = {}) {
      if (closing !== undefined) {
        throw new SpikeError('DISPOSED', { where: path, expected: 'an open file', received: 'a closed one' });
      }
      const where = `${path}: tensor ${name}`;
      checkReadable(where, view.stored.type);
      const tensor = await readView(opened, where, view, options);
      checkFinite(path, name, tensor);
      return tensor;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function readView(
  opened: OpenFile,
  where: string,
  view: TensorView,
  { as = 'float32', allocate = newBuffer, signal }: ReadOptions,
): Promise<Tensor> {
  const { dtype, decode } = view.stored.type;
  const memory = (bytes: number): ArrayBuffer => allocated(where, bytes, allocate);
  const pieces = (unit: number, use: UsePiece) => readPieces(opened, where, view, unit, use, signal);
  const tensor =
    decode === undefined
      ? await readPlain(view, dtype ?? 'F32', view.added === undefined ? as : 'float32', memory, pieces)
      : await readBlocks(view, decode, memory, pieces);
  if (view.added !== undefined) subtract(tensor.data as Float32Array, view.added);
  return tensor;
}

/** Bytes of a view, and how many of its bytes came before them. */
type UsePiece = (piece: Uint8Array, before: number) => void;
type Pieces = (unit: number, use: UsePiece) => Promise<void>;

async function readPlain(
  { stored, shape, order = asStored(shape) }: TensorView,
  dtype: SafetensorsDtype,
  as: 'float32' | 'stored',
  memory: (bytes: number) => ArrayBuffer,
  pieces: Pieces,
): Promise<Tensor> {
  const buffer = memory(sizeOf(shape) * stored.type.bytes);
  const target = new Uint8Array(buffer);
  const rowBytes = order.length * stored.type.bytes;
  await pieces(rowBytes, (piece, before) => {
    for (let at = 0; at < piece.length; at += rowBytes) {
      target.set(piece.subarray(at, at + rowBytes), order.placeOf((before + at) / rowBytes) * rowBytes);
    }
  });
  const tensor = tensorFrom(dtype, shape, buffer, as, memory);
  if ((tensor.data as Uint8Array).buffer !== buffer && buffer.resizable) buffer.resize(0);
  return tensor;
}

async function readBlocks(
  { stored, shape, order = asStored(shape) }: TensorView,
  decode: DecodeBlock,
  memory: (bytes: number) => ArrayBuffer,
  pieces: Pieces,
): Promise<Tensor> {
  const { values, bytes } = stored.type;
  const out = new Float32Array(memory(sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT));
  await pieces(bytes, (piece, before) => {
    for (let at = 0; at < piece.length; at += bytes) {
      const value = ((before + at) / bytes) * values;
      const row = Math.floor(value / order.length);
      decode(piece, at, out, (order.placeOf(row) - row) * order.length + value);
    }
  });
  return new Tensor('float32', out, [...shape]);
}

/** Reads the bytes of a view in pieces of whole units of `unit` bytes. */
async function readPieces(
  opened: OpenFile,
  where: string,
  { stored, shape, first }: TensorView,
  unit: number,
  use: UsePiece,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytesOf = (values: number): number => (values / stored.type.values) * stored.type.bytes;
  const bytes = bytesOf(sizeOf(shape));
  const start = stored.position + bytesOf(first);
  const units = Math.max(1, Math.floor(PIECE_BYTES / unit));
  const memory = new Uint8Array(Math.min(bytes, units * unit));
  for (let before = 0; before < bytes; before += memory.length) {
    const piece = memory.subarray(0, bytes - before);
    const found = await readAt(opened, piece, start + before, signal);
    if (found < piece.length) throw corrupt(where, `${bytes} bytes`, `${before + found}`, CUT_SHORT);
    use(piece, before);
  }
}

const asStored = (shape: readonly number[]): RowOrder => ({
  length: shape.at(-1) ?? 1,
  placeOf: (row) => row,
});

/** How many values a tensor of this shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1);

function subtract(values: Float32Array, added: number): void {
  for (let i = 0; i < values.length; i++) values[i] -= added;
}
