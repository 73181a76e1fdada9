import type { SpikeError } from '@spikellm/backend';
import { corrupt, missing } from './errors.ts';
import type { GgufValue } from './values.ts';

/** The metadata of a file, read by what a key must hold. `has` aside, '.key' stands for the key of the architecture. */
export interface Metadata {
  /** The file, for errors. */
  readonly path: string;
  /** general.architecture */
  readonly architecture: string;
  has(key: string): boolean;
  /** A whole number from 0 up; a list of them, one a layer, where all are the same. Errors: MISSING, CORRUPT_FILE. */
  count(key: string): number;
  /** A finite number, as the shortest decimal that the stored float32 stands for. Errors: MISSING, CORRUPT_FILE. */
  number(key: string): number;
  /** Errors: MISSING, CORRUPT_FILE. */
  text(key: string): string;
  /** Errors: MISSING, CORRUPT_FILE. */
  flag(key: string): boolean;
  /** Errors: MISSING, CORRUPT_FILE. */
  texts(key: string): readonly string[];
  /** A list of numbers. Errors: MISSING, CORRUPT_FILE. */
  numbers(key: string): ArrayLike<number>;
}

const ARCHITECTURE = 'general.architecture';

/** Errors: MISSING, CORRUPT_FILE (no architecture). */
export function createMetadata(path: string, values: ReadonlyMap<string, GgufValue>): Metadata {
  const wrong = (key: string, expected: string, value: GgufValue): SpikeError => {
    const received = typeof value === 'object' ? `a list of ${value.length}` : JSON.stringify(String(value));
    return corrupt(`${path}: key ${key}`, expected, received);
  };
  const get = (key: string): GgufValue => {
    const value = values.get(key);
    if (value !== undefined) return value;
    throw missing(path, `metadata with the key ${key}`, 'convert the model again with a present converter');
  };
  const text = (key: string): string => {
    const value = get(key);
    if (typeof value !== 'string') throw wrong(key, 'a string', value);
    return value;
  };
  const architecture = text(ARCHITECTURE);
  const full = (key: string): string => (key.startsWith('.') ? architecture + key : key);
  return {
    path,
    architecture,
    has: (key) => values.has(full(key)),
    text: (key) => text(full(key)),
    count(key) {
      const stored = get(full(key));
      const isUniform = isNumbers(stored) && stored.length > 0 && stored.every((item) => item === stored[0]);
      const value = isUniform ? stored[0] : stored;
      if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
      throw wrong(full(key), 'a whole number from 0 up, the same for all layers', stored);
    },
    number(key) {
      const value = get(full(key));
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(full(key), 'a number', value);
      return shortest(value);
    },
    flag(key) {
      const value = get(full(key));
      if (typeof value !== 'boolean') throw wrong(full(key), 'true or false', value);
      return value;
    },
    texts(key) {
      const value = get(full(key));
      if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
      throw wrong(full(key), 'a list of strings', value);
    },
    numbers(key) {
      const value = get(full(key));
      if (!isNumbers(value)) throw wrong(full(key), 'a list of numbers', value);
      return value;
    },
  };
}

type Numbers = Exclude<
  GgufValue,
  string | number | bigint | boolean | readonly unknown[] | BigInt64Array | BigUint64Array
>;

const isNumbers = (value: GgufValue): value is Numbers =>
  ArrayBuffer.isView(value) && !(value instanceof BigInt64Array) && !(value instanceof BigUint64Array);

/** The decimal of fewest digits that rounds to the same float32: 1e-5 for 9.999999747378752e-6. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}
