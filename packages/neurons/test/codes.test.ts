import type { GifRange } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import {
  bitsPerActivation,
  count,
  decode,
  decodeTernary,
  encode,
  encodeTernary,
  gifNeuron,
  gifParameters,
  gifSequence,
  residual,
  rint,
  unroll,
  unrollTernary,
} from '../src/index.ts';
import { uniform } from './random.ts';

const f32 = Math.fround;
const BITS = [2, 3, 4, 5, 6, 7, 8];
const FORMATS = BITS.flatMap((bits) => [1, 2, 4].map((steps) => ({ bits, steps, levels: 2 ** bits - 1 })));

describe('rint', () => {
  it('sends halves to the even integer, and never returns -0', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map(rint)).toEqual([-2, -2, 0, 0, 2, 2]);
    expect([-0.3, -0, 0.49999999999999994, 0.7, -1.2].map(rint)).toEqual([0, 0, 0, 1, -1]);
  });

  it('keeps integers of any size', () => {
    for (const x of [2 ** 51, -(2 ** 51), 2 ** 52 + 1, -(2 ** 53) + 1, 1e300, Infinity])
      expect(rint(x)).toBe(x);
  });
});

describe('the example of five values from -1.03 to 1.97', () => {
  const x = [-1.03, -0.31, 0.02, 0.47, 1.97];

  it('with 4 bits and one step', () => {
    const parameters = gifParameters(-1.03, 1.97, { bits: 4 });
    expect(parameters).toEqual({ scale: expect.closeTo(0.2, 7), zeroPoint: 5, maxCode: 15 });
    const codes = x.map((value) => encode(value, parameters));
    expect(codes).toEqual([0, 3, 5, 7, 15]);
    const decoded = codes.map((code) => decode(code, parameters));
    expect(decoded).toEqual([-1, -0.4, 0, 0.4, 2].map((value) => expect.closeTo(value, 6)));
  });

  it('with 4 bits, two steps and the published range, whose last code loses one in the spikes', () => {
    const parameters = gifParameters(-1.03, 1.97, { bits: 4, steps: 2, range: 'saturating' });
    expect(parameters).toEqual({ scale: expect.closeTo(0.0967742, 7), zeroPoint: 11, maxCode: 31 });
    const codes = x.map((value) => encode(value, parameters));
    expect(codes).toEqual([0, 8, 11, 16, 31]);
    const decoded = codes.map((code) => decode(code, parameters));
    const expected = [-1.064516, -0.290323, 0, 0.483871, 1.935484];
    expect(decoded).toEqual(expected.map((value) => expect.closeTo(value, 6)));
    expect(codes.map((code) => count(unroll(code, 2, 15)))).toEqual([0, 8, 11, 16, 30]);
  });

  it('with 4 bits, two steps and the lossless range', () => {
    const parameters = gifParameters(-1.03, 1.97, { bits: 4, steps: 2 });
    expect(parameters).toEqual({ scale: expect.closeTo(0.1, 7), zeroPoint: 10, maxCode: 30 });
    const codes = x.map((value) => encode(value, parameters));
    expect(codes).toEqual([0, 7, 10, 15, 30]);
    const decoded = codes.map((code) => decode(code, parameters));
    expect(decoded).toEqual([-1, -0.3, 0, 0.5, 2].map((value) => expect.closeTo(value, 6)));
    const trains = codes.map((code) => unroll(code, 2, 15));
    expect(trains).toEqual([
      [0, 0],
      [7, 0],
      [10, 0],
      [15, 0],
      [15, 15],
    ]);
  });
});

describe('the lossless range', () => {
  it.each(FORMATS)('carries every code: $bits bits, $steps steps', ({ bits, steps, levels }) => {
    const parameters = gifParameters(-1.3, 2.9, { bits, steps });
    expect(parameters.maxCode).toBe(steps * levels);
    for (let code = 0; code <= parameters.maxCode; code++) {
      const spikes = unroll(encode(decode(code, parameters), parameters), steps, levels);
      expect(count(spikes)).toBe(code);
      expect(residual(code, steps, levels)).toBe(0);
    }
  });

  it.each(FORMATS)('has the scale of one step over T: $bits bits, $steps steps', ({ bits, steps }) => {
    for (const [min, max] of [
      [-1.03, 1.97],
      [0, 1e-6],
      [-3e7, 5e7],
      [2, 3],
    ]) {
      const one = gifParameters(min, max, { bits });
      expect(gifParameters(min, max, { bits, steps }).scale).toBe(f32(one.scale / steps));
    }
  });

  it('brings every value of the range back within one level', () => {
    const next = uniform(3);
    for (let i = 0; i < 10_000; i++) {
      const [min, max] = [-4 * next(), 4 * next() + 1e-3];
      const parameters = gifParameters(min, max, { bits: 4, steps: 2 });
      const x = min + (max - min) * next();
      expect(Math.abs(decode(encode(x, parameters), parameters) - x)).toBeLessThanOrEqual(parameters.scale);
    }
  });

  it.each([1, 2, 4])('brings a constant back exactly in %i steps', (steps) => {
    for (const c of [3, -3, 0.1, -0.1, 1e-7, -2e30, 12345.678].map(f32)) {
      const parameters = gifParameters(c, c, { bits: 4, steps });
      expect(parameters.scale).toBe(f32(Math.abs(c) / steps));
      expect(parameters.zeroPoint).toBe(c < 0 ? steps : 0);
      expect(encode(c, parameters)).toBe(c < 0 ? 0 : steps);
      expect(decode(encode(c, parameters), parameters)).toBe(c);
    }
    const zero = gifParameters(0, 0, { bits: 4, steps });
    expect(zero).toEqual({ scale: f32(1 / steps), zeroPoint: 0, maxCode: 15 * steps });
    expect(encode(0, zero)).toBe(0);
    expect(decode(0, zero)).toBe(0);
  });
});

describe('the arithmetic of codes', () => {
  // Each case tells float32 from float64 in one operation; expected values from NumPy's float32.
  it.each([
    { operation: 'max - min', min: -2.55, max: 1.08, steps: 1, scale: 0.242000013589859, zeroPoint: 11 },
    { operation: 'S / T', min: -2.55, max: 1.08, steps: 3, scale: 0.0806666687130928, zeroPoint: 32 },
    { operation: '-min / S', min: -0.27, max: 0.27, steps: 1, scale: 0.036000002175569534, zeroPoint: 8 },
    { operation: '-min / S', min: -3.71, max: 3.71, steps: 3, scale: 0.1648888885974884, zeroPoint: 22 },
  ])('rounds $operation to float32', ({ min, max, steps, scale, zeroPoint }) => {
    expect(gifParameters(min, max, { bits: 4, steps })).toEqual({ scale, zeroPoint, maxCode: 15 * steps });
  });

  it('rounds x / S to float32', () => {
    expect(encode(1.67, { scale: 0.2226666659116745, zeroPoint: 11, maxCode: 31 })).toBe(19);
  });
});

describe('the published range', () => {
  it.each(FORMATS)(
    'saturates on its top T - 1 codes alone: $bits bits, $steps steps',
    ({ bits, steps, levels }) => {
      const { maxCode } = gifParameters(-1, 1, { bits, steps, range: 'saturating' });
      expect(maxCode).toBe(2 ** (bits + Math.log2(steps)) - 1);
      const saturated: number[] = [];
      for (let code = 0; code <= maxCode; code++) {
        const carried = count(unroll(code, steps, levels));
        expect(carried + residual(code, steps, levels)).toBe(code);
        if (carried !== code) saturated.push(code);
      }
      expect(saturated).toEqual(Array.from({ length: steps - 1 }, (_, i) => maxCode - steps + 2 + i));
    },
  );

  it('turns 61, 62 and 63 into 60: 4 bits, 4 steps', () => {
    expect([60, 61, 62, 63].map((code) => count(unroll(code, 4, 15)))).toEqual([60, 60, 60, 60]);
    expect([60, 61, 62, 63].map((code) => residual(code, 4, 15))).toEqual([0, 1, 2, 3]);
  });

  it('is the lossless one where there is one step', () => {
    const published = gifParameters(-0.7, 2.2, { bits: 4, range: 'saturating' });
    expect(published).toEqual(gifParameters(-0.7, 2.2, { bits: 4 }));
  });

  it('caps scale and zero point of a constant', () => {
    const three = gifParameters(3, 3, { bits: 4, range: 'saturating' });
    expect(three).toEqual({ scale: f32(1e-5), zeroPoint: -10_000, maxCode: 15 });
    expect(decode(encode(3, three), three)).toBeCloseTo(0.10015, 7);
  });
});

describe('unrolling', () => {
  it.each(FORMATS)('is the GIF neuron charged once with the code: $bits bits, $steps steps', (format) => {
    const { steps, levels } = format;
    const neuron = gifNeuron({ levels });
    const inputs = new Float64Array(steps);
    for (let code = 0; code <= steps * (levels + 1) - 1; code++) {
      inputs[0] = code;
      const { spikes, state } = gifSequence(inputs, neuron);
      expect(unroll(code, steps, levels)).toEqual(spikes);
      expect(residual(code, steps, levels)).toBe(state.membrane - 0.5);
    }
  });
});

describe('rounding of codes', () => {
  it('sends ±0.5, ±1.5, ±2.5 levels to the even code', () => {
    const halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];
    const unit = { scale: 1, zeroPoint: 8, maxCode: 15 };
    expect(halves.map((x) => encode(x, unit) - 8)).toEqual([-2, -2, 0, 0, 2, 2]);
    expect(halves.map((w) => encodeTernary(w, 1, 4))).toEqual([-2, -2, 0, 0, 2, 2]);
  });

  it('clips what is out of range', () => {
    const unit = { scale: 1, zeroPoint: 3, maxCode: 15 };
    expect([-1e38, -4, 12, 13, 1e38].map((x) => encode(x, unit))).toEqual([0, 0, 15, 15, 15]);
    expect([-1e38, -3, 2.6, 1e38].map((w) => encodeTernary(w, 1, 2))).toEqual([-2, -2, 2, 2]);
  });
});

describe('ternary codes', () => {
  it('unroll into their sign, and decode in float32', () => {
    expect(unrollTernary(2, 3)).toEqual([1, 1, 0]);
    expect(unrollTernary(0, 3)).toEqual([0, 0, 0]);
    expect(unrollTernary(-3, 3)).toEqual([-1, -1, -1]);
    expect(decodeTernary(-3, 0.1)).toBe(f32(-3 * f32(0.1)));
    for (let code = -4; code <= 4; code++) {
      expect(encodeTernary(decodeTernary(code, 0.1), 0.1, 4)).toBe(code);
      expect(count(unrollTernary(code, 4))).toBe(code);
    }
  });
});

describe('bad arguments', () => {
  it.each([
    [
      () => gifParameters(0, 1, { bits: 0 }),
      'gifParameters: expected bits to be a whole number from 1 to 12, received 0.',
    ],
    [
      () => gifParameters(0, 1, { bits: 13 }),
      'gifParameters: expected bits to be a whole number from 1 to 12, received 13.',
    ],
    [
      () => bitsPerActivation({ bits: 13, steps: 2, salient: 0.1 }),
      'bitsPerActivation: expected bits to be a whole number from 1 to 12, received 13.',
    ],
    [
      () => gifParameters(0, 1, { bits: 4, steps: 1.5 }),
      'gifParameters: expected steps to be a whole number from 1 to 256, received 1.5.',
    ],
    [
      () => gifParameters(0, 1, { bits: 4, steps: 3, range: 'saturating' }),
      'gifParameters: expected steps to be a power of two in the published range, received 3.',
    ],
    [
      () => gifParameters(0, 1, { bits: 4, range: 'exact' as GifRange }),
      "gifParameters: expected range to be 'lossless' or 'saturating', received exact.",
    ],
    [
      () => gifParameters(2, 1, { bits: 4 }),
      'gifParameters: expected min to be at most max, received 2 and 1.',
    ],
    [
      () => gifParameters(NaN, 1, { bits: 4 }),
      'gifParameters: expected min to be a finite number, received NaN.',
    ],
    [
      () => gifParameters(0, 1e39, { bits: 4 }),
      'gifParameters: expected max to be a finite number, received Infinity.',
    ],
    [
      () => encode(NaN, gifParameters(0, 1, { bits: 4 })),
      'encode: expected x to be a finite number, received NaN.',
    ],
    [
      () => decode(16, gifParameters(0, 1, { bits: 4 })),
      'decode: expected code to be a whole number from 0 to 15, received 16.',
    ],
    [
      () => decode(-1, gifParameters(0, 1, { bits: 4 })),
      'decode: expected code to be a whole number from 0 to 15, received -1.',
    ],
    [
      () => unroll(-1, 2, 15),
      'unroll: expected code to be a whole number from 0 to 2147483647, received -1.',
    ],
    [() => residual(3, 0, 15), 'residual: expected steps to be a whole number from 1 to 65535, received 0.'],
    [
      () => unrollTernary(3, 2),
      'unrollTernary: expected code to be a whole number from -2 to 2, received 3.',
    ],
    [
      () => encodeTernary(1, 0, 2),
      'encodeTernary: expected delta to be a finite number above 0, received 0.',
    ],
    [
      () => encodeTernary(Infinity, 1, 2),
      'encodeTernary: expected w to be a finite number, received Infinity.',
    ],
  ])('%#: %s', (call, message) => {
    expect(call).toThrow(expect.objectContaining({ name: 'SpikeError', message }));
  });
});
