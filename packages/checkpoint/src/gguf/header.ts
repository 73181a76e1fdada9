import type { OpenFile } from '../store.ts';
import { typeOf, type GgufType } from './blocks.ts';
import { createCursor, type Cursor } from './cursor.ts';
import { corrupt, CUT_SHORT, unsupported } from './errors.ts';
import { readCount, readString, readU32, readU64, readValue, type GgufValue } from './values.ts';

/** A tensor as the file stores it. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgufType;
  /** The longest stride first, as everywhere in this project; the file has them the other way round. */
  readonly shape: readonly number[];
  /** Bytes in the file. */
  readonly bytes: number;
  /** Where its bytes begin in the file. */
  readonly position: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const MAGIC = 0x46554747; // 'GGUF', read as a little-endian number
const VERSIONS = [2, 3];
const MAX_KEY_BYTES = 65_535;
const MAX_NAME_BYTES = 64;
const MAX_DIMENSIONS = 4;

/** The least that an entry takes: a key of one byte with a value of one, a tensor of one dimension with a name of one byte. */
const SMALLEST_ENTRY = 8 + 1 + 4 + 1;
const SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8;

/** Of tensors or of entries: more than any model has, and little enough to hold. */
const MAX_COUNT = 100_000;

const DEFAULT_ALIGNMENT = 32;

/**
 * Reads and checks the header of a GGUF file, format versions 2 and 3, little-endian: counts that the file has room for,
 * no key or tensor twice, sizes that follow from shapes and types, tensors within the file that do not overlap.
 *
 * Errors: CORRUPT_FILE; UNSUPPORTED (version, byte order, an unknown type of block, arrays of arrays).
 * Source: docs/gguf.md of ggml.
 */
export async function readHeader(path: string, file: OpenFile): Promise<GgufHeader> {
  const cursor = createCursor(path, file);
  const magic = await readU32(cursor, path);
  if (magic !== MAGIC) {
    const hex = magic.toString(16).padStart(8, '0');
    throw corrupt(path, "a GGUF file, which begins with 'GGUF'", `first bytes 0x${hex} (last one first)`);
  }
  const version = await readVersion(cursor);
  const tensorCount = await readCount(cursor, path, 'tensors', SMALLEST_TENSOR, MAX_COUNT);
  const entryCount = await readCount(cursor, path, 'metadata entries', SMALLEST_ENTRY, MAX_COUNT);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryCount; i++) await readEntry(cursor, i, metadata);
  const alignment = alignmentOf(path, metadata.get('general.alignment'));
  const claims = new Map<string, Omit<GgufTensor, 'name'>>();
  for (let i = 0; i < tensorCount; i++) await readTensor(cursor, i, claims, alignment);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const [name, claim] of claims) {
    tensors.set(name, { name, ...claim, position: dataStart + claim.position });
  }
  checkLayout(path, tensors, file.size);
  return { version, metadata, tensors };
}

async function readVersion(cursor: Cursor): Promise<number> {
  const version = await readU32(cursor, cursor.path);
  if (VERSIONS.includes(version)) return version;
  const isBigEndian = version !== 0 && (version & 0xffff) === 0;
  throw unsupported(
    cursor.path,
    `a GGUF file of version ${VERSIONS.join(' or ')}, little-endian`,
    isBigEndian ? 'a big-endian one' : `version ${version}`,
    'convert the model again with a present converter',
  );
}

async function readEntry(cursor: Cursor, index: number, metadata: Map<string, GgufValue>): Promise<void> {
  const where = `${cursor.path}: metadata entry ${index}`;
  const key = await readString(cursor, where, { least: 1, most: MAX_KEY_BYTES });
  if (metadata.has(key)) throw corrupt(where, 'keys that differ', `${key} a second time`);
  metadata.set(key, await readValue(cursor, `${cursor.path}: key ${key}`));
}

function alignmentOf(path: string, value: GgufValue = DEFAULT_ALIGNMENT): number {
  // A power of two has no bit in common with the number before it.
  if (typeof value === 'number' && value >= 1 && value <= 2 ** 30 && (value & (value - 1)) === 0)
    return value;
  throw corrupt(`${path}: key general.alignment`, 'a power of two', String(value));
}

/** Notes a tensor, its position counted from where the data begins, which only the end of the header tells. */
async function readTensor(
  cursor: Cursor,
  index: number,
  claims: Map<string, Omit<GgufTensor, 'name'>>,
  alignment: number,
): Promise<void> {
  const entry = `${cursor.path}: tensor ${index}`;
  const name = await readString(cursor, entry, { least: 1, most: MAX_NAME_BYTES });
  if (claims.has(name)) throw corrupt(entry, 'names that differ', `${name} a second time`);
  const where = `${cursor.path}: tensor ${name}`;
  const rank = await readU32(cursor, where);
  if (rank > MAX_DIMENSIONS) throw corrupt(where, `at most ${MAX_DIMENSIONS} dimensions`, String(rank));
  const dimensions: bigint[] = [];
  while (dimensions.length < rank) dimensions.push(await readU64(cursor, where));
  const type = typeOf(where, await readU32(cursor, where));
  const offset = await readU64(cursor, where);
  const values = dimensions.reduce((product, dimension) => product * dimension, 1n);
  if (values === 0n || values > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw corrupt(where, `1 to ${Number.MAX_SAFE_INTEGER} values`, `dimensions ${dimensions.join(' x ')}`);
  }
  if ((dimensions[0] ?? 1n) % BigInt(type.values) !== 0n) {
    const expected = `rows of a multiple of ${type.values} values, the blocks of ${type.name}`;
    throw corrupt(where, expected, `rows of ${dimensions[0] ?? 1n}`);
  }
  const bytes = (Number(values) / type.values) * type.bytes;
  if (offset > BigInt(Number.MAX_SAFE_INTEGER) || Number(offset) % alignment !== 0) {
    throw corrupt(where, `an offset that is a multiple of ${alignment}`, String(offset));
  }
  const shape = dimensions.map(Number).toReversed();
  claims.set(name, { type, shape, bytes, position: Number(offset) });
}

function checkLayout(path: string, tensors: ReadonlyMap<string, GgufTensor>, fileBytes: number): void {
  let end = 0;
  let before = '';
  for (const { name, position, bytes } of [...tensors.values()].toSorted((a, b) => a.position - b.position)) {
    const where = `${path}: tensor ${name}`;
    if (position < end) {
      throw corrupt(where, `data from byte ${end} on`, `byte ${position}, an overlap with tensor ${before}`);
    }
    end = position + bytes;
    before = name;
    if (end > fileBytes) throw corrupt(where, `data up to byte ${end}`, `a file of ${fileBytes}`, CUT_SHORT);
  }
}
