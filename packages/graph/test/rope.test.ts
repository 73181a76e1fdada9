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

describe('scalings that stretch a context', () => {
  it('dynamic takes a larger theta, the longer the text, and the plain one within the context', () => {
    const scaling = { type: 'dynamic', factor: 2, originalContextLength: 16 } as const;
    const at = (context: number) => rotaryFrequencies({ ...plain, scaling }, context);
    expectClose(at(16), [1, 0.1, 0.01, 0.001]);
    expect(at(3)).toEqual(at(16));
    // 2 * 40 / 16 - 1 = 4, theta = 10000 * 4^(8/6) = 63496.04207872797.
    expectClose(
      at(40),
      [0, 1, 2, 3].map((i) => 63496.04207872797 ** (-i / 4)),
    );
  });

  it('yarn blends over the pairs between two numbers of turns', () => {
    const scaling = {
      type: 'yarn',
      factor: 4,
      fastTurns: 32,
      slowTurns: 1,
      wholePairs: true,
      originalContextLength: 2000,
      attentionFactor: 1,
    } as const;
    // Pairs 8 ln(2000 / (2 pi turns)) / (2 ln 10000) are 0.997 and 2.502: from 0 to 3.
    const blend = [0, 1, 2, 3].map((i) => 10 ** -i * (1 - i / 3 + i / 12));
    expectClose(rotaryFrequencies({ ...plain, scaling }), blend);
    // In fractions of pairs they are 0.9996 and 2.5047.
    const [from, to] = [32, 1].map((turns) => (4 * Math.log(2000 / (turns * 2 * Math.PI))) / Math.log(10000));
    const exact = rotaryFrequencies({ ...plain, scaling: { ...scaling, wholePairs: false } });
    const shares = [0, (1 - from) / (to - from), (2 - from) / (to - from), 1];
    expectClose(
      exact,
      shares.map((share, i) => 10 ** -i * (1 - share + share / 4)),
    );
  });

  it('longrope divides each frequency by its factor, of long texts by another one', () => {
    const scaling = {
      type: 'longrope',
      shortFactors: [1, 2, 4, 5],
      longFactors: [2, 4, 8, 10],
      originalContextLength: 16,
      attentionFactor: 1,
    } as const;
    const at = (context: number) => rotaryFrequencies({ ...plain, scaling }, context);
    expectClose(at(16), [1, 0.05, 0.0025, 0.0002]);
    expectClose(at(17), [0.5, 0.025, 0.00125, 0.0001]);
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

  it('times the attention factor, of frequencies for the whole text', () => {
    const scaling = {
      type: 'longrope',
      shortFactors: [1],
      longFactors: [2],
      originalContextLength: 16,
      attentionFactor: 1.5,
    } as const;
    const table: RotaryTable = { theta: 100, scaling, width: 2 };
    const of = ({ cos, sin }: ReturnType<typeof rotaryAngles>) =>
      [cos, sin].map(({ data }) => (data as Float32Array)[1]);
    const want = (angle: number) => [Math.cos(angle), Math.sin(angle)].map((x) => Math.fround(1.5 * x));
    expect(of(rotaryAngles(table, 2))).toEqual(want(1));
    expect(of(rotaryAngles(table, 2, 17))).toEqual(want(0.5));
  });
});
