import { describe, expect, it } from 'vitest';
import {
  classCounts,
  codeType,
  gatherOrder,
  maxCode,
  packCodes,
  packedBytes,
  unpackCodes,
  type GifRange,
} from '../src/index.ts';

describe('packed codes', () => {
  it('hold two codes of 4 bits a byte, the low half first, and end each row on a byte', () => {
    const codes = Uint8Array.of(0x1, 0x2, 0x3, 0xf, 0x0, 0x8);
    expect([...packCodes(codes, 2, 3, 4)]).toEqual([0x21, 0x03, 0x0f, 0x08]);
  });

  it('run over byte borders, low bits first', () => {
    // 3 bits: 5 = 101, 2 = 010, 7 = 111 -> byte 0 is 11 010 101, byte 1 begins with the last 1.
    expect([...packCodes(Uint8Array.of(5, 2, 7), 1, 3, 3)]).toEqual([0b11010101, 0b1]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('of %i bits come back, whatever the length of a row', (bits) => {
    for (const count of [1, 2, 7, 8, 9, 31]) {
      const codes = Uint8Array.from({ length: 3 * count }, (_, i) => (i * 37 + 255) % 2 ** bits);
      const packed = packCodes(codes, 3, count, bits);
      expect(packed.length).toBe(3 * packedBytes(count, bits));
      expect(unpackCodes(packed, 3, count, bits)).toEqual(codes);
    }
  });

  it('of no columns and of no rows are empty', () => {
    expect(packCodes(new Uint8Array(0), 3, 0, 4)).toEqual(new Uint8Array(0));
    expect(unpackCodes(new Uint8Array(0), 0, 5, 4)).toEqual(new Uint8Array(0));
  });
});

describe('the range of a channel', () => {
  it.each<[GifRange, number, number, number]>([
    ['lossless', 4, 1, 15],
    ['lossless', 4, 2, 30],
    ['lossless', 4, 4, 60],
    ['saturating', 4, 1, 15],
    ['saturating', 4, 2, 31],
    ['saturating', 4, 4, 63],
  ])('%s, %i bits, %i steps: 0..%i', (range, bits, steps, largest) => {
    expect(maxCode({ bits, range }, steps)).toBe(largest);
  });

  it('fits a byte up to 255 and two bytes up to the largest of all', () => {
    const type = (bits: number, range: GifRange, ...classes: number[]) => codeType({ bits, range, classes });
    expect(type(8, 'lossless', 1)).toBe('uint8');
    expect(type(7, 'saturating', 1, 2)).toBe('uint8');
    expect(type(8, 'lossless', 1, 2)).toBe('uint16');
    expect(maxCode({ bits: 12, range: 'saturating' }, 16)).toBe(65535);
  });
});

describe('gathered order', () => {
  it('puts the channels of a class together, classes rising, channels in their order', () => {
    expect([...gatherOrder([2, 1, 4, 1, 2, 1])]).toEqual([1, 3, 5, 0, 4, 2]);
    expect([...gatherOrder([])]).toEqual([]);
  });

  it('has as many channels a class as are counted', () => {
    expect(classCounts([2, 1, 4, 1, 2, 1], [1, 2, 4], 'here')).toEqual([3, 2, 1]);
    expect(classCounts([1, 1], [1, 2], 'here')).toEqual([2, 0]);
    expect(() => classCounts([1, 3], [1, 2], 'here')).toThrow(
      'here: expected steps of every channel among 1, 2, received 3 at channel 1.',
    );
  });
});
