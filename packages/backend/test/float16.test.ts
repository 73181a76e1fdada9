import { expect, it } from 'vitest';
import { createReferenceBackend, float16Values, widenFloat16 } from '../src/index.ts';

it('float16Values has a value for every pattern of bits', () => {
  const values = float16Values();
  const of = (...bits: number[]): number[] => bits.map((pattern) => values[pattern]);
  expect(of(0x0000, 0x8000, 0x0001, 0x03ff, 0x0400)).toEqual([0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14]);
  expect(of(0x3c00, 0x3c01, 0xc000, 0x7bff)).toEqual([1, 1 + 2 ** -10, -2, 65504]);
  expect(of(0x7c00, 0xfc00, 0x7e00)).toEqual([Infinity, -Infinity, NaN]);
});

it('widenFloat16 gives the values in order', () => {
  expect(widenFloat16(Uint16Array.of(0x3c00, 0xb800))).toEqual(Float32Array.of(1, -0.5));
});

it('a Float16Array, where the runtime has one, is uploaded by its bits', async () => {
  class Float16Array extends Uint16Array {
    override readonly [Symbol.toStringTag] = 'Float16Array' as 'Uint16Array';
  }
  using backend = createReferenceBackend();
  const data = new Float16Array([0x3c00, 0xb800, 0x0001]).subarray(1);
  using tensor = backend.upload({ type: 'float16', data, dims: [2] });
  const { type, data: read } = await backend.read(tensor);
  const { buffer, byteOffset } = read as Uint16Array;
  expect(type).toBe('float16');
  expect([...new Uint16Array(buffer, byteOffset, 2)]).toEqual([0xb800, 0x0001]);
});
