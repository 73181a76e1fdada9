import { readGolden, type GoldenTensor } from '@spikellm/golden';
import { describe, expect, it } from 'vitest';
import { clippingGradients, dequantiseRows, quantiseRows } from '../src/index.ts';

const floats = ({ data }: GoldenTensor): Float32Array => Float32Array.from(data);

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, relative: number, absolute = 0): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    expect(Math.abs(got[i] - want[i]), `element ${i}`).toBeLessThanOrEqual(
      absolute + relative * Math.abs(want[i]),
    );
  }
}

describe('weight quantiser against the research code', () => {
  for (const [index, golden] of readGolden('kernels').weight_quantizer.entries()) {
    const { bits, symmetric, group_size: group, lwc } = golden;
    it(`case ${index}: ${bits} bits, symmetric ${symmetric}, group ${group ?? 'row'}, learned clipping ${lwc}`, () => {
      const w = floats(golden.w);
      const columns = group ?? golden.w.shape[1];
      const clipping = golden.lwc
        ? { upper: golden.upper_bound_factor.data, lower: golden.lower_bound_factor.data }
        : undefined;
      const rows = quantiseRows(w, columns, { bits, symmetric }, clipping);
      // The goldens are printed with seven decimals.
      expectClose(rows.scale, golden.scale.data, 1e-6, 1e-7);
      expect([...rows.zero]).toEqual(golden.zero_point.data.map((zero) => zero + 0));
      const dequantised = dequantiseRows(rows);
      expectClose(dequantised, golden.dequantized.data, 2e-6, 1e-6);
      if (!golden.lwc) return;

      // The goldens' loss is 50 * sum (dequantised - w)^2.
      const gradient = dequantised.map((value, i) => 100 * (value - w[i]));
      const loss = dequantised.reduce((sum, value, i) => sum + 50 * (value - w[i]) ** 2, 0);
      expectClose([loss], [golden.loss], 1e-5);
      const { upper, lower } = clippingGradients(w, columns, { bits, symmetric }, clipping!, gradient);
      expectClose(upper, golden.grad_upper.data, 1e-4, 1e-5);
      expectClose(lower, golden.grad_lower.data, 1e-4, 1e-5);
    });
  }
});

describe('weight quantiser', () => {
  const format = { bits: 4, symmetric: false };

  it('keeps constant rows exactly', () => {
    const w = Float32Array.from([3, 3, -0.25, -0.25, 0, 0]);
    expect([...dequantiseRows(quantiseRows(w, 2, format))]).toEqual([...w]);
  });

  it('rounds ties to even', () => {
    // Scale 1 and zero point 0: 0.5 and 1.5 become 0 and 2.
    const w = Float32Array.from([0, 0.5, 1.5, 2.5, 15]);
    expect([...quantiseRows(w, 5, format).codes]).toEqual([0, 0, 2, 2, 15]);
  });

  it('does not extend the range to hold zero', () => {
    const { zero, codes } = quantiseRows(Float32Array.from([10, 25]), 2, format);
    expect(zero[0]).toBe(-10);
    expect([...codes]).toEqual([0, 15]);
  });

  it('refuses broken rows', () => {
    expect(() => quantiseRows(new Float32Array(5), 2, format)).toThrow(
      'weight quantiser: expected whole rows of 2 weights, received 5 weights.',
    );
  });

  it('has the gradients that finite differences give where no code changes', () => {
    const w = Float32Array.from([-1.1, -0.31, 0.02, 0.47, 1.93, 0.9]);
    const clipping = { upper: [1.3], lower: [0.7] };
    const gradient = Float32Array.from([0.3, -1, 0.5, 0.2, -0.7, 1.1]);
    const { upper } = clippingGradients(w, 6, format, clipping, gradient);
    // Straight through: w / S is smooth, so the loss at fixed codes and u is linear in S.
    const { codes, scale, zero } = quantiseRows(w, 6, format, clipping);
    const byScale = w.reduce((sum, value, i) => {
      const free = codes[i] > 0 && codes[i] < 15;
      return sum + gradient[i] * (codes[i] - zero[0] - (free ? value / scale[0] : 0));
    }, 0);
    const step = 1e-3;
    const scaleAt = (factor: number) =>
      quantiseRows(w, 6, format, { upper: [factor], lower: [0.7] }).scale[0];
    const slope = (scaleAt(1.3 + step) - scaleAt(1.3 - step)) / (2 * step);
    expect(upper[0]).toBeCloseTo(byScale * slope, 3);
  });
});
