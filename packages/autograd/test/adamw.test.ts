import { describe, expect, it } from 'vitest';
import { constantRate, cosineRate, createAdamW } from '../src/index.ts';

describe('AdamW', () => {
  it('moves by the rate at first, whatever the size of the gradient', () => {
    const values = Float32Array.of(1, 1, 1);
    createAdamW(values).step([1e-3, -50, 0], 0.25);
    expect(values[0]).toBeCloseTo(0.75, 5);
    expect(values[1]).toBeCloseTo(1.25, 5);
    expect(values[2]).toBe(1);
  });

  it('follows a second step worked out by hand', () => {
    const values = Float32Array.of(0);
    const adam = createAdamW(values, { betas: [0.5, 0.75], eps: 0 });
    adam.step([2], 1);
    expect(values[0]).toBe(-1);
    // m = 0.5 * 1 + 0.5 * -4 = -1.5, over 1 - 0.25; v = 0.75 * 1 + 0.25 * 16 = 4.75, over 1 - 0.5625
    adam.step([-4], 1);
    expect(values[0]).toBeCloseTo(-1 + 2 / Math.sqrt(4.75 / 0.4375), 6);
  });

  it('decays by the rate, apart from the gradient', () => {
    const values = Float32Array.of(2);
    createAdamW(values, { decay: 0.1 }).step([0], 0.5);
    expect(values[0]).toBeCloseTo(1.9, 6);
  });

  it('finds the bottom of a parabola', () => {
    const values = Float32Array.of(3, -2);
    const adam = createAdamW(values);
    const rate = cosineRate(0.1, 300);
    for (let step = 0; step < 300; step++)
      adam.step([2 * (values[0] - 1), 20 * (values[1] - 0.5)], rate(step));
    expect(values[0]).toBeCloseTo(1, 2);
    expect(values[1]).toBeCloseTo(0.5, 2);
  });

  it('refuses a gradient of another length', () => {
    expect(() => createAdamW(new Float32Array(3)).step([1], 1)).toThrow(
      'AdamW: expected a gradient of 3 elements, received 1.',
    );
  });
});

it('rates are constant, or half a cosine that ends where it is told to', () => {
  expect([0, 7].map(constantRate(0.3))).toEqual([0.3, 0.3]);
  const rate = cosineRate(1, 4, 0.5);
  expect([0, 2, 4, 9].map(rate)).toEqual([1, 0.75, 0.5, 0.5]);
});
