import { describe, expect, it } from 'vitest';
import { divergenceOf, largest, logProbabilities } from '../src/engine/likelihood.ts';

describe('distributions over a vocabulary', () => {
  it('are the softmax of the logits, however large those are', () => {
    const logs = logProbabilities(Float32Array.of(1000, 1000 + Math.log(3), -1000));
    expect(Math.exp(logs[0])).toBeCloseTo(0.25, 4);
    expect(Math.exp(logs[1])).toBeCloseTo(0.75, 4);
    expect(Math.exp(logs[2])).toBe(0);
  });

  it('are apart by sum p ln (p / q), and not at all from themselves', () => {
    const p = logProbabilities(Float32Array.of(0, 0));
    const q = logProbabilities(Float32Array.of(0, Math.log(3)));
    expect(divergenceOf(p, q)).toBeCloseTo(0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75), 6);
    expect(divergenceOf(q, q)).toBe(0);
  });

  it('have their largest values from the top down, the first of equal ones first', () => {
    expect(largest(Float64Array.of(1, 5, 3, 5, 0, 4), 3)).toEqual([1, 3, 5]);
    expect(largest(Float64Array.of(2, 1), 5)).toEqual([0, 1]);
  });
});
