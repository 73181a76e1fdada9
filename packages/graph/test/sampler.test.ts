import { describe, expect, it } from 'vitest';
import { createSampler, type SamplingOptions } from '../src/index.ts';

const LOGITS = Float32Array.of(0.1, 2, -1, 2, 1.9);

const draws = (options: SamplingOptions, logits: Float32Array, count: number): number[] => {
  const sample = createSampler(options);
  return Array.from({ length: count }, () => sample(logits));
};

it('takes the first of the likeliest tokens at temperature 0, the default', () => {
  expect(createSampler({})(LOGITS)).toBe(1);
  expect(createSampler({ temperature: 0, topK: 3, topP: 0.5, seed: 9 })(LOGITS)).toBe(1);
});

it.each([{ topK: 1 }, { topP: 1e-9 }, { temperature: 1e-6, topK: 1 }])('so do %o', (options) => {
  expect(new Set(draws({ temperature: 2, ...options }, LOGITS, 200))).toEqual(new Set([1]));
});

it('draws the same tokens from the same seed', () => {
  const of = (seed: number): number[] => draws({ temperature: 1, seed }, LOGITS, 50);
  expect(of(4)).toEqual(of(4));
  expect(of(4)).not.toEqual(of(5));
});

describe('10,000 draws from probabilities .2, .3 and .5', () => {
  const logits = Float32Array.of(Math.log(0.2), Math.log(0.3), Math.log(0.5));
  const half = [0.2, 0.3, 0.5].map(Math.sqrt);
  const halfSum = half[0] + half[1] + half[2];

  it.each([
    { options: {}, expected: [0.2, 0.3, 0.5] },
    { options: { topK: 9, topP: 1 }, expected: [0.2, 0.3, 0.5] },
    { options: { temperature: 2 }, expected: half.map((p) => p / halfSum) },
    { options: { topK: 2 }, expected: [0, 3 / 8, 5 / 8] },
    { options: { topP: 0.6 }, expected: [0, 3 / 8, 5 / 8] },
    { options: { topP: 0.45 }, expected: [0, 0, 1] },
    // The share is of what top-k leaves: .5 of .8 is enough for .6.
    { options: { topK: 2, topP: 0.6 }, expected: [0, 0, 1] },
  ])('have those shares: $options', ({ options, expected }) => {
    const drawn = draws({ temperature: 1, seed: 3, ...options }, logits, 10_000);
    expected.forEach((share, id) => {
      const got = drawn.filter((token) => token === id).length / 10_000;
      // Four standard deviations; none where the share is 0 or 1.
      expect(Math.abs(got - share)).toBeLessThanOrEqual(4 * Math.sqrt((share * (1 - share)) / 10_000));
    });
  });
});

it.each([
  { options: { temperature: -1 }, message: 'temperature: expected a number of 0 or more, received -1.' },
  {
    options: { temperature: Number.NaN },
    message: 'temperature: expected a number of 0 or more, received NaN.',
  },
  { options: { topK: 0 }, message: 'top-k: expected a whole number above 0, received 0.' },
  { options: { topK: 1.5 }, message: 'top-k: expected a whole number above 0, received 1.5.' },
  { options: { topP: 0 }, message: 'top-p: expected a number above 0 and at most 1, received 0.' },
  { options: { topP: 1.1 }, message: 'top-p: expected a number above 0 and at most 1, received 1.1.' },
  { options: { seed: -1 }, message: 'seed: expected a whole number from 0 to 2^32 - 1, received -1.' },
  {
    options: { seed: 2 ** 32 },
    message: 'seed: expected a whole number from 0 to 2^32 - 1, received 4294967296.',
  },
])('refuses $options', ({ options, message }) => {
  expect(() => createSampler(options)).toThrow(message);
});
