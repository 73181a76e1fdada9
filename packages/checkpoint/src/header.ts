import { SpikeError } from '@spikellm/backend';
import { bytesPerElement, isDtype } from './dtype.ts';
import { isRecord } from './files.ts';
import { parseJson } from './json.ts';

/** What a file says of one tensor. */
export interface TensorInfo {
  /** One of `SafetensorsDtype`, or another, of which the tensor cannot be read. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes in the file. */
  readonly bytes: number;
}

/** A tensor and where its bytes begin, counted from the end of the header. */
export interface TensorPlace extends TensorInfo {
  readonly begin: number;
}

export interface Header {
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The size of the header's length field. */
export const LENGTH_BYTES = 8;

/** The largest header that is read: what the reference implementation allows. */
const MAX_HEADER_BYTES = 100_000_000;

export const METADATA = '__metadata__';

/**
 * The length of the header, from the first bytes of a file of `fileBytes` bytes.
 * Errors: CORRUPT_FILE.
 */
export function headerLength(path: string, start: Uint8Array, fileBytes: number): number {
  if (start.length < LENGTH_BYTES) {
    throw corrupt(path, `a safetensors file of at least ${LENGTH_BYTES} bytes`, `${fileBytes} bytes`);
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const room = Math.min(fileBytes - LENGTH_BYTES, MAX_HEADER_BYTES);
  if (length === 0n || length > BigInt(room)) {
    throw corrupt(path, `a header of 1 to ${room} bytes`, `a header length of ${length}`, TRUNCATED);
  }
  return Number(length);
}

/**
 * Reads and checks a safetensors header: known dtypes, sizes that follow from the shapes, tensors that lie one
 * behind the other without overlap or gap, and a file that ends where the last one does.
 *
 * @param bytes the header without its length field
 * @param fileBytes size of the whole file
 * Errors: CORRUPT_FILE, UNSUPPORTED (dtype).
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): Header {
  const { [METADATA]: metadata = {}, ...entries } = parseObject(path, bytes);
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw corrupt(path, `${METADATA} of strings`, JSON.stringify(metadata).slice(0, 80));
  }
  const tensors = new Map(
    Object.entries(entries).map(([name, entry]) => [name, parseEntry(`${path}: tensor ${name}`, entry)]),
  );
  checkLayout(path, tensors, fileBytes - LENGTH_BYTES - bytes.length);
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseObject(path: string, bytes: Uint8Array): Record<string, unknown> {
  const value = parseJson(path, bytes, 'a header of JSON in UTF-8');
  if (isRecord(value)) return value;
  throw corrupt(path, 'a header that is a JSON object', 'JSON of another kind');
}

function parseEntry(where: string, entry: unknown): TensorPlace {
  if (!isRecord(entry)) throw corrupt(where, 'dtype, shape and data_offsets', JSON.stringify(entry));
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !/^\w{1,32}$/.test(dtype)) throw corrupt(where, 'a dtype', show(dtype));
  if (!isCounts(shape)) throw corrupt(where, 'a shape of whole numbers from 0 up', show(shape));
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw corrupt(where, 'data_offsets [begin, end] with begin <= end', show(offsets));
  }
  const [begin, end] = offsets;
  const size = isDtype(dtype)
    ? shape.reduce((product, dim) => product * dim, bytesPerElement(dtype))
    : end - begin; // Of a dtype that this project does not know; it matters only where the tensor is read.
  if (size !== end - begin) {
    throw corrupt(where, `${size} bytes for ${dtype} of shape ${show(shape)}`, `${end - begin} bytes`);
  }
  return { dtype, shape, bytes: size, begin };
}

function checkLayout(path: string, tensors: ReadonlyMap<string, TensorPlace>, dataBytes: number): void {
  // An empty tensor stands where its neighbour begins, so it goes first among equal begins.
  const inOrder = [...tensors].toSorted(([, a], [, b]) => a.begin - b.begin || a.bytes - b.bytes);
  let end = 0;
  for (const [name, { begin, bytes }] of inOrder) {
    if (begin !== end) {
      const fault = begin < end ? 'an overlap with the tensor before it' : 'a gap before it';
      throw corrupt(`${path}: tensor ${name}`, `data that begins at byte ${end}`, `byte ${begin}, ${fault}`);
    }
    end += bytes;
  }
  if (end > dataBytes) throw corrupt(path, `${end} bytes of tensors`, `${dataBytes}`, TRUNCATED);
  if (end < dataBytes) throw corrupt(path, `${end} bytes of tensors`, `${dataBytes}`);
}

const TRUNCATED = 'the file may be cut short: copy or download it again';

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

function corrupt(where: string, expected: string, received: string, remedy?: string): SpikeError {
  const advice = remedy === undefined ? {} : { remedy };
  return new SpikeError('CORRUPT_FILE', { where, expected, received, ...advice });
}
