import type { ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';

/**
 * The code range of a channel with T steps of n bits.
 * - `lossless`: 0..T(2^n - 1), what T steps of 0..2^n - 1 can carry.
 * - `saturating`: 0..2^(n + log2 T) - 1, the range of the research code, whose top T - 1 codes no train of T such
 *   steps can carry. For comparison with published numbers.
 */
export type GifRange = 'lossless' | 'saturating';

export interface GifFormat {
  /** n: a step emits 0..2^n - 1. */
  readonly bits: number;
  readonly range: GifRange;
}

/** The largest code of a channel with `steps` steps. */
export const maxCode = ({ bits, range }: GifFormat, steps: number): number =>
  range === 'lossless' ? steps * (2 ** bits - 1) : steps * 2 ** bits - 1;

/** The element type that holds the codes of every class. */
export const codeType = (format: GifFormat & { readonly classes: readonly number[] }): ElementType =>
  maxCode(format, format.classes[format.classes.length - 1]) < 256 ? 'uint8' : 'uint16';

/** The order in which codes are stored: channels sorted by their steps, stable, so that a class is contiguous. */
export function gatherOrder(steps: ArrayLike<number>): Int32Array {
  const order = Int32Array.from(steps, (_, channel) => channel);
  return order.toSorted((a, b) => steps[a] - steps[b] || a - b);
}

/** The number of channels of each class, in the order of `classes`. */
export function classCounts(steps: ArrayLike<number>, classes: readonly number[], where: string): number[] {
  const counts = classes.map(() => 0);
  for (let channel = 0; channel < steps.length; channel++) {
    const index = classes.indexOf(steps[channel]);
    if (index < 0) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `steps of every channel among ${classes.join(', ')}`,
        received: `${steps[channel]} at channel ${channel}`,
      });
    }
    counts[index] += 1;
  }
  return counts;
}

/** Bytes of one packed row of `count` codes of `bits` bits. */
export const packedBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8);

/**
 * Packs rows of codes: code j of a row takes the bits [j * bits, (j + 1) * bits) of the row, low bits first; a row ends
 * on a byte. With 4 bits a byte holds two codes, the low half first.
 *
 * @param codes - [rows, count], each below 2^bits
 * @returns [rows, ceil(count * bits / 8)]
 */
export function packCodes(codes: Uint8Array, rows: number, count: number, bits: number): Uint8Array {
  const rowBytes = packedBytes(count, bits);
  const packed = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    for (let j = 0, bit = row * rowBytes * 8; j < count; j++, bit += bits) {
      const shifted = codes[row * count + j] << (bit & 7);
      packed[bit >> 3] |= shifted;
      if (shifted > 255) packed[(bit >> 3) + 1] |= shifted >> 8;
    }
  }
  return packed;
}

/** The inverse of {@link packCodes}. */
export function unpackCodes(packed: Uint8Array, rows: number, count: number, bits: number): Uint8Array {
  const rowBytes = packedBytes(count, bits);
  const codes = new Uint8Array(rows * count);
  const mask = 2 ** bits - 1;
  for (let row = 0; row < rows; row++) {
    for (let j = 0, bit = row * rowBytes * 8; j < count; j++, bit += bits) {
      const byte = bit >> 3;
      const pair = packed[byte] | ((bit & 7) + bits > 8 ? packed[byte + 1] << 8 : 0);
      codes[row * count + j] = (pair >> (bit & 7)) & mask;
    }
  }
  return codes;
}
