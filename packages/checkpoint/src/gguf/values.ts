import type { Cursor } from './cursor.ts';
import { corrupt, unsupported } from './errors.ts';

/** Integers of 64 bits are numbers where a number holds them. */
export type GgufScalar = number | bigint | boolean | string;

export type GgufArray =
  | readonly string[]
  | readonly boolean[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** A value of a file's metadata. */
export type GgufValue = GgufScalar | GgufArray;

/** The most values of one array: sixty times the largest vocabulary there is. */
const MAX_ARRAY_LENGTH = 2 ** 24;

interface NumberType {
  readonly name: string;
  readonly bytes: number;
  readonly read: (view: DataView) => number | bigint;
  readonly array: new (buffer: ArrayBuffer) => Exclude<GgufArray, readonly unknown[]>;
}

const narrow = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** The numbers of metadata, by the id of their type. */
const NUMBER_TYPES: Readonly<Record<number, NumberType>> = {
  0: { name: 'uint8', bytes: 1, read: (view) => view.getUint8(0), array: Uint8Array },
  1: { name: 'int8', bytes: 1, read: (view) => view.getInt8(0), array: Int8Array },
  2: { name: 'uint16', bytes: 2, read: (view) => view.getUint16(0, true), array: Uint16Array },
  3: { name: 'int16', bytes: 2, read: (view) => view.getInt16(0, true), array: Int16Array },
  4: { name: 'uint32', bytes: 4, read: (view) => view.getUint32(0, true), array: Uint32Array },
  5: { name: 'int32', bytes: 4, read: (view) => view.getInt32(0, true), array: Int32Array },
  6: { name: 'float32', bytes: 4, read: (view) => view.getFloat32(0, true), array: Float32Array },
  10: { name: 'uint64', bytes: 8, read: (view) => narrow(view.getBigUint64(0, true)), array: BigUint64Array },
  11: { name: 'int64', bytes: 8, read: (view) => narrow(view.getBigInt64(0, true)), array: BigInt64Array },
  12: { name: 'float64', bytes: 8, read: (view) => view.getFloat64(0, true), array: Float64Array },
};

const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

const LENGTH_BYTES = 8;

export async function readU32(cursor: Cursor, where: string): Promise<number> {
  if (cursor.held < 4) await cursor.fill(4, where);
  return cursor.take(4).getUint32(0, true);
}

export async function readU64(cursor: Cursor, where: string): Promise<bigint> {
  if (cursor.held < 8) await cursor.fill(8, where);
  return cursor.take(8).getBigUint64(0, true);
}

/**
 * A count of things that take at least `smallest` bytes each, before anything is allocated for them.
 * Errors: CORRUPT_FILE where the rest of the file has no room for them, or they are more than `limit`.
 */
export async function readCount(
  cursor: Cursor,
  where: string,
  things: string,
  smallest: number,
  limit: number,
): Promise<number> {
  const count = await readU64(cursor, where);
  const most = Math.min(limit, Math.floor(cursor.left / smallest));
  if (count > BigInt(most)) throw corrupt(where, `at most ${most} ${things} in what is left`, String(count));
  return Number(count);
}

// A byte order mark is a token of some vocabularies, so it must not be dropped.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string with its length in front, of `least` to `most` bytes. Errors: CORRUPT_FILE, also for bytes that are not UTF-8. */
export async function readString(
  cursor: Cursor,
  where: string,
  { least = 0, most = Infinity }: { readonly least?: number; readonly most?: number } = {},
): Promise<string> {
  if (cursor.held < LENGTH_BYTES) await cursor.fill(LENGTH_BYTES, where);
  const length = cursor.take(LENGTH_BYTES).getBigUint64(0, true);
  const room = Math.min(most, cursor.left);
  if (length < BigInt(least) || length > BigInt(room)) {
    throw corrupt(where, `a string of ${least} to ${room} bytes`, `a length of ${length}`);
  }
  const bytes = Number(length);
  if (cursor.held < bytes) await cursor.fill(bytes, where);
  try {
    return decoder.decode(cursor.take(bytes));
  } catch {
    throw corrupt(where, 'a string in UTF-8', `${bytes} bytes that are not`);
  }
}

/** A value and the type in front of it. Errors: CORRUPT_FILE, UNSUPPORTED (arrays of arrays). */
export async function readValue(cursor: Cursor, where: string): Promise<GgufValue> {
  const type = await readU32(cursor, where);
  if (type === ARRAY) return readArray(cursor, where);
  if (type === STRING) return readString(cursor, where);
  if (type === BOOL) return readBool(cursor, where);
  const { bytes, read } = numberType(where, type);
  if (cursor.held < bytes) await cursor.fill(bytes, where);
  return read(cursor.take(bytes));
}

async function readArray(cursor: Cursor, where: string): Promise<GgufArray> {
  const type = await readU32(cursor, where);
  if (type === ARRAY) {
    throw unsupported(
      where,
      'an array of numbers, strings or booleans',
      'an array of arrays',
      'leave it out',
    );
  }
  const smallest = type === STRING ? LENGTH_BYTES : type === BOOL ? 1 : numberType(where, type).bytes;
  const count = await readCount(cursor, where, 'values', smallest, MAX_ARRAY_LENGTH);
  if (type === STRING) return readAll(count, () => readString(cursor, where));
  if (type === BOOL) return readAll(count, () => readBool(cursor, where));
  const { bytes, array } = numberType(where, type);
  await cursor.fill(count * bytes, where);
  const { buffer, byteOffset, byteLength } = cursor.take(count * bytes);
  // A copy, since the values need not be aligned in the window.
  return new array((buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength));
}

async function readAll<T>(count: number, read: () => Promise<T>): Promise<T[]> {
  const values: T[] = [];
  while (values.length < count) values.push(await read());
  return values;
}

async function readBool(cursor: Cursor, where: string): Promise<boolean> {
  if (cursor.held < 1) await cursor.fill(1, where);
  const byte = cursor.take(1).getUint8(0);
  if (byte > 1) throw corrupt(where, 'a boolean of 0 or 1', String(byte));
  return byte === 1;
}

function numberType(where: string, type: number): NumberType {
  const found = NUMBER_TYPES[type];
  if (found === undefined) throw corrupt(where, 'a type of value from 0 to 12', String(type));
  return found;
}
