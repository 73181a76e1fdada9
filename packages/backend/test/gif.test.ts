/** GIF encoding with numbers that can be checked by hand. */
import { describe, expect, it } from 'vitest';
import { createReferenceBackend, createRunner, type GifRange } from '../src/index.ts';
import { rint } from '../src/rounding.ts';

async function encode(x: number[], bits: number, range: GifRange, T: number) {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const gif = { bits, range, classes: T === 1 ? [1] : [1, T] };
  const constants = { steps: { type: 'uint8', data: new Uint8Array(x.length).fill(T), dims: [x.length] } };
  const row = runner.upload({ type: 'float32', data: Float32Array.from(x), dims: [1, x.length] });
  const encoded = runner.apply(runner.prepare('gif_encode_f32', gif, constants), { x: row });
  const { y } = runner.apply(runner.prepare('gif_decode_f32', gif, constants), encoded);
  const [codes, scale, zero, decoded] = await Promise.all(
    [encoded.codes, encoded.scale, encoded.zero, y].map(async (tensor) =>
      [...(await backend.read(tensor)).data].map(Number),
    ),
  );
  return { codes, scale: scale.at(-1)!, zero: zero.at(-1)!, decoded };
}

const X = [-1.03, -0.31, 0.02, 0.47, 1.97];

describe('a row of five values, 4 bits', () => {
  it.each<[GifRange, number, number, number, number[], number[]]>([
    ['lossless', 1, 0.2, 5, [0, 3, 5, 7, 15], [-1, -0.4, 0, 0.4, 2]],
    ['saturating', 1, 0.2, 5, [0, 3, 5, 7, 15], [-1, -0.4, 0, 0.4, 2]],
    ['lossless', 2, 0.1, 10, [0, 7, 10, 15, 30], [-1, -0.3, 0, 0.5, 2]],
    ['saturating', 2, 3 / 31, 11, [0, 8, 11, 16, 31], [-1.064516, -0.290323, 0, 0.483871, 1.935484]],
  ])('%s, %i steps: S = %f, z = %i', async (range, T, scale, zero, codes, decoded) => {
    const got = await encode(X, 4, range, T);
    expect(got.codes).toEqual(codes);
    expect(got.zero).toBe(zero);
    expect(got.scale).toBe(Math.fround(scale));
    got.decoded.forEach((value, i) => expect(value).toBeCloseTo(decoded[i], 6));
  });
});

it('ties go to the even code', async () => {
  // S = 1, z = 0: the codes are the values, rounded.
  const { codes, zero } = await encode([0, 0.5, 1.5, 2.5, 3.5, 15], 4, 'lossless', 1);
  expect([zero, ...codes]).toEqual([0, 0, 0, 2, 2, 4, 15]);
  // -min / S = 2.5 rounds to 2, and x / S to the even side of it.
  const shifted = await encode([-2.5, -1.5, -0.5, 0.5, 12.5], 4, 'lossless', 1);
  expect([shifted.zero, ...shifted.codes]).toEqual([2, 0, 0, 2, 2, 14]);
});

it('rint rounds half to even on both sides of zero and leaves whole numbers alone', () => {
  expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5].map(rint)).toEqual([0, 2, 2, 0, -2, -2]);
  expect([0.49999999, 1e9 + 0.5, -65535, 2 ** 50].map(rint)).toEqual([0, 1e9, -65535, 2 ** 50]);
});

describe('a constant row', () => {
  it.each([3.25, -3.25, 0])('of %f comes back from the lossless range', async (c) => {
    for (const T of [1, 2, 4]) {
      const { decoded, codes, zero } = await encode([c, c, c], 4, 'lossless', T);
      expect(decoded).toEqual([c, c, c]);
      expect([codes[0], zero]).toEqual([c > 0 ? T : 0, c < 0 ? T : 0]);
    }
  });

  it('of the published range comes back as 0.1 at most, as in the research code', async () => {
    const { scale, zero, decoded } = await encode([3.25, 3.25], 4, 'saturating', 1);
    expect([scale, zero]).toEqual([Math.fround(1e-5), -10000]);
    expect(decoded[0]).toBeCloseTo(0.1, 3);
  });
});
