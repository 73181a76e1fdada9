/**
 * Spikes and quantisation are one thing (SpikeLLM, arXiv 2407.04752). Inputs are multiples of 2^-23 and thresholds
 * whole numbers, so that every sum below is exact: no tie is skipped and no tolerance is needed.
 */
import { describe, expect, it } from 'vitest';
import {
  count,
  encodeTernary,
  gifNeuron,
  gifSequence,
  hardReset,
  ifNeuron,
  ifSequence,
  ternaryNeuron,
  ternarySequence,
  unrollTernary,
} from '../src/index.ts';
import { uniform } from './random.ts';

const INPUTS = 100_000;
const clip = (x: number, low: number, high: number) => Math.max(low, Math.min(x, high));
const constant = (x: number, steps: number) => new Float64Array(steps).fill(x);

/** Uniform on [-1/2, 3/2): half of the inputs lie outside the range of the quantiser. */
function inputs(seed: number): Float64Array {
  const next = uniform(seed);
  return Float64Array.from({ length: INPUTS }, () => 2 * next() - 0.5);
}

const quantised = (x: number, steps: number) => clip(Math.floor(steps * x + 0.5), 0, steps);

/** How many of the inputs give another count than the quantiser. */
const mismatches = (xs: Float64Array, steps: number, counted: (x: number) => number) =>
  xs.reduce((sum, x) => sum + (counted(x) === quantised(x, steps) ? 0 : 1), 0);

describe('an IF neuron with soft reset is a uniform quantiser', () => {
  it.each([3, 7, 15, 31])('on 100,000 inputs and every tie, in %i steps', (steps) => {
    const counted = (x: number) => count(ifSequence(constant(x, steps), ifNeuron()).spikes);
    expect(mismatches(inputs(steps), steps, counted)).toBe(0);
  });

  it.each([3, 7, 15, 31])('on every code and every tie between two codes, in %i steps', (steps) => {
    const neuron = ifNeuron({ threshold: steps });
    for (let code = -1; code <= steps + 1; code++) {
      for (const charge of [code, code + 0.5]) {
        const expected = clip(Math.floor(charge + 0.5), 0, steps);
        expect(count(ifSequence(constant(charge, steps), neuron).spikes)).toBe(expected);
      }
    }
  });

  it('and with hard reset it is not: 31 % of inputs on [-1/2, 3/2) get another count in 15 steps', () => {
    const neuron = ifNeuron({ reset: hardReset });
    const wrong = mismatches(inputs(1), 15, (x) => count(ifSequence(constant(x, 15), neuron).spikes));
    expect(wrong / INPUTS).toBeGreaterThan(0.3);
    expect(wrong / INPUTS).toBeLessThan(0.32);
  });
});

describe('a GIF neuron is its IF steps merged', () => {
  it.each([
    [1, 15],
    [2, 15],
    [4, 15],
    [2, 7],
  ])('%i steps of %i levels, on 100,000 inputs', (steps, levels) => {
    const neuron = gifNeuron({ levels });
    const counted = (x: number) => count(gifSequence(constant(levels * x, steps), neuron).spikes);
    expect(mismatches(inputs(steps * levels), steps * levels, counted)).toBe(0);
  });

  it.each([
    [1, 15],
    [2, 15],
    [4, 15],
    [2, 7],
  ])('%i steps of %i levels fire at each step what the IF neuron fires meanwhile', (steps, levels) => {
    for (const x of inputs(7).subarray(0, 2000)) {
      const merged = gifSequence(constant(levels * x, steps), gifNeuron({ levels }));
      const { spikes } = ifSequence(constant(x, steps * levels), ifNeuron());
      const blocks = merged.spikes.map((_, t) => count(spikes.slice(t * levels, (t + 1) * levels)));
      expect(merged.spikes).toEqual(blocks);
    }
  });
});

describe('a ternary GIF neuron charged once is a signed uniform quantiser', () => {
  it.each([1, 2, 3, 4])('on 100,000 inputs, in %i steps', (steps) => {
    const next = uniform(steps);
    let wrong = 0;
    for (let i = 0; i < INPUTS; i++) {
      const w = (2 * next() - 1) * (steps + 2);
      const charge = constant(0, steps);
      charge[0] = w;
      const fired = count(ternarySequence(charge, ternaryNeuron()).spikes);
      if (fired !== clip(Math.floor(w + 0.5), -steps, steps)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it.each([1, 2, 3, 4])('and its count the code of every input that is no tie, in %i steps', (steps) => {
    const eighths = Array.from({ length: 16 * (steps + 1) + 1 }, (_, i) => i / 8 - (steps + 1));
    const noTies = eighths.filter((w) => w - Math.floor(w) !== 0.5);
    const counted = noTies.map((w) => clip(Math.floor(w + 0.5), -steps, steps));
    expect(noTies.map((w) => encodeTernary(w, 1, steps))).toEqual(counted);
  });

  it.each([1, 2, 3, 4])('whose spikes are those of its code, in %i steps', (steps) => {
    for (let eighths = -8 * (steps + 1); eighths <= 8 * (steps + 1); eighths++) {
      const w = eighths / 8;
      const charge = constant(0, steps);
      charge[0] = w;
      const code = clip(Math.floor(w + 0.5), -steps, steps);
      expect(ternarySequence(charge, ternaryNeuron()).spikes).toEqual(unrollTernary(code, steps));
    }
  });
});
