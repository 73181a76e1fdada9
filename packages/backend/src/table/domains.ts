import type { Domain } from '../kernel.ts';
import { MAX_WEIGHT_STEPS, type WeightChannels } from '../ternary.ts';
import type { GifRange } from '../codes.ts';

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const whole = (least: number, most: number): Domain<number> => ({
  expected: `a whole number from ${least} to ${most}`,
  accepts: (value): value is number => isWhole(value, least, most),
});

export const count = whole(1, 2 ** 31 - 1);
/** As `count`, with 0 for what has no bound. */
export const bound = whole(0, 2 ** 31 - 1);
/** Bits of one activation spike: a step emits 0..2^bits - 1. With 16 steps a code of 12 bits still fits 16. */
export const MOST_SPIKE_BITS = 12;
export const spikeBits = whole(1, MOST_SPIKE_BITS);
export const weightBits = whole(1, 8);

export const positive: Domain<number> = {
  expected: 'a finite number above 0',
  accepts: (value): value is number => Number.isFinite(value) && (value as number) > 0,
};

export const finite: Domain<number> = {
  expected: 'a finite number',
  accepts: (value): value is number => Number.isFinite(value),
};

export const notNegative: Domain<number> = {
  expected: 'a finite number of 0 or more',
  accepts: (value): value is number => Number.isFinite(value) && (value as number) >= 0,
};

/** How many channels of each group of columns have ternary weights of 1, 2, ... steps; see `WeightChannels`. */
export const weightChannels: Domain<WeightChannels> = {
  expected: `for each group of columns the numbers of channels with 1 to at most ${MAX_WEIGHT_STEPS} weight steps, such as [[90, 0, 10]], the last above 0, no group but the last of another size than the first and that one no larger`,
  accepts(value): value is WeightChannels {
    if (!Array.isArray(value) || !value.every(isWeightCounts)) return false;
    const sizes = value.map((counts) => counts.reduce((sum, channels) => sum + channels, 0));
    const last = sizes.pop();
    return last !== undefined && sizes.every((size) => size === sizes[0] && size >= last);
  },
};

const isWeightCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.length <= MAX_WEIGHT_STEPS &&
  value.every((channels) => isWhole(channels, 0, 2 ** 31 - 1)) &&
  value.at(-1) > 0;

/** The classes of spike steps of a tensor's channels, rising powers of two that begin with one step. */
export const stepClasses: Domain<readonly number[]> = {
  expected: 'rising powers of two that begin with 1 and end at 16 or below, such as [1, 2]',
  accepts: (value): value is readonly number[] =>
    Array.isArray(value) &&
    value[0] === 1 &&
    value.every((steps, i) => [1, 2, 4, 8, 16].includes(steps) && (i === 0 || steps > value[i - 1])),
};

export const gifRange: Domain<GifRange> = {
  expected: "'lossless' or 'saturating'",
  accepts: (value): value is GifRange => value === 'lossless' || value === 'saturating',
};

/** Bits of weights in training; 16 leaves them as they are. */
export const trainedBits: Domain<number> = {
  expected: 'a whole number from 1 to 8, or 16',
  accepts: (value): value is number => value === 16 || isWhole(value, 1, 8),
};

/** The activations; kernels in other languages know them by their places here. */
export const activations = ['relu', 'silu', 'gelu_tanh', 'gelu'] as const;
export type Activation = (typeof activations)[number];
export const activation: Domain<Activation> = {
  expected: "'relu', 'silu', 'gelu_tanh' or 'gelu'",
  accepts: (value): value is Activation => activations.includes(value as Activation),
};
