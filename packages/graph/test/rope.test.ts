import { describe, expect, it } from 'vitest';
import { rotaryAngles, rotaryFrequencies, type RotaryTable } from '../src/index.ts';

const plain: RotaryTable = { theta: 10000, scaling: { type: 'none' }, width: 8 };

const expectClose = (received: ArrayLike<number>, expected: readonly number[]) => {
  expect(received).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(Math.abs(received[i] / value - 1)).toBeLessThan(1e-14));
};

describe('rotaryFrequencies', () => {
  it('is theta^(-2i/width) without scaling', () => {
    expectClose(rotaryFrequencies(plain), [1, 0.1, 0.01, 0.001]);
  });

  it('divides by a linear factor', () => {
    const scaled = rotaryFrequencies({ ...plain, scaling: { type: 'linear', factor: 4 } });
    expectClose(scaled, [0.25, 0.025, 0.0025, 0.00025]);
  });

  it('keeps short wavelengths, divides long ones and blends between, as LLaMA 3 does', () => {
    // Wavelengths 2 pi / f are 6.28, 62.8, 628 and 6283 positions. With an original context of 2000 and factors 1 and
    // 8 those below 2000 / 8 = 250 stay and those above 2000 / 1 = 2000 are divided by 4. The third one lies between:
    // smooth = (2000 / 628.3 - 1) / (8 - 1) = 0.3118712659768438, f = (1 - smooth) 0.01 / 4 + smooth 0.01.
    const scaling = {
      type: 'llama3',
      factor: 4,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 8,
      originalContextLength: 2000,
    } as const;
    expectClose(rotaryFrequencies({ ...plain, scaling }), [1, 0.1, 0.004839034494826328, 0.00025]);
  });

  it('blends continuously: at both ends of the blend it is what lies beyond', () => {
    const original = 64;
    const at = (wavelength: number): number => {
      const scaling = {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: original,
      } as const;
      // The second of two pairs has the frequency theta^(-1/2).
      const f = (2 * Math.PI) / wavelength;
      return rotaryFrequencies({ theta: f ** -2, scaling, width: 4 })[1] / f;
    };
    expect(at(original / 4 - 1)).toBeCloseTo(1, 12);
    expect(at(original / 4)).toBeCloseTo(1, 12);
    expect(at(original / 2)).toBeCloseTo(1 / 3 + 2 / 3 / 8, 12);
    expect(at(original)).toBeCloseTo(1 / 8, 12);
    expect(at(original + 1)).toBeCloseTo(1 / 8, 12);
  });
});

describe('rotaryAngles', () => {
  it('has cos and sin of position times frequency, [positions, width/2]', () => {
    const { cos, sin } = rotaryAngles({ theta: 100, scaling: { type: 'none' }, width: 4 }, 3);
    const angles = [0, 0, 1, 0.1, 2, 0.2];
    expect([cos.type, cos.dims, sin.type, sin.dims]).toEqual(['float32', [3, 2], 'float32', [3, 2]]);
    expect(Array.from(cos.data as Float32Array)).toEqual(angles.map((a) => Math.fround(Math.cos(a))));
    expect(Array.from(sin.data as Float32Array)).toEqual(angles.map((a) => Math.fround(Math.sin(a))));
  });
});
