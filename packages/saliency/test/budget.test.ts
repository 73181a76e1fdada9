import { describe, expect, it } from 'vitest';
import { allocateBudget, type StepGains } from '../src/index.ts';
import { sum, uniform } from './data.ts';

const STEPS = [1, 2, 4];

const stepGains = (outputs: number, gains: Record<number, readonly number[]>): StepGains => ({
  outputs,
  gains: new Map(Object.entries(gains).map(([steps, values]) => [Number(steps), values])),
});
const lists = (all: readonly Uint8Array[]): number[][] => all.map((steps) => Array.from(steps));
const gainOf = ({ gains }: StepGains, channel: number, steps: number): number =>
  steps === 1 ? 0 : gains.get(steps)![channel];

/** Cost and gain of an assignment. */
function account(linears: readonly StepGains[], all: readonly ArrayLike<number>[]) {
  const each = linears.flatMap((linear, l) =>
    Array.from(all[l], (steps, channel) => [linear.outputs * (steps - 1), gainOf(linear, channel, steps)]),
  );
  return { cost: sum(each.map(([cost]) => cost)), gain: sum(each.map(([, gain]) => gain)) };
}

/** The best gain of all assignments for each cost up to `most`. */
function optima(linears: readonly StepGains[], channels: number, most: number): number[] {
  const best = Array.from({ length: most + 1 }, () => Number.NEGATIVE_INFINITY);
  const total = linears.length * channels;
  for (let code = 0; code < STEPS.length ** total; code++) {
    const digits = Array.from(
      { length: total },
      (_, i) => STEPS[Math.floor(code / STEPS.length ** i) % STEPS.length],
    );
    const all = linears.map((_, l) => digits.slice(l * channels, (l + 1) * channels));
    const { cost, gain } = account(linears, all);
    best[cost] = Math.max(best[cost], gain);
  }
  for (let cost = 1; cost <= most; cost++) best[cost] = Math.max(best[cost], best[cost - 1]);
  return best;
}

/** Random gains, some of them below 0 and some of them convex. */
const randomLinear = (outputs: number, channels: number, next: () => number): StepGains => {
  const values = (): number[] => Array.from({ length: channels }, () => next() + 0.5);
  return stepGains(outputs, { 2: values(), 4: values() });
};

/** Whether no chord over `at` reaches the curve: there the optimum is one of falling worth. */
function isCorner(curve: readonly number[], at: number): boolean {
  for (let a = 0; a < at; a++) {
    for (let b = at + 1; b < curve.length; b++) {
      if (curve[a] + ((curve[b] - curve[a]) * (at - a)) / (b - a) >= curve[at] - 1e-12) return false;
    }
  }
  return true;
}

describe.each([
  { outputs: [1, 1], cases: 12 },
  { outputs: [3, 2], cases: 12 },
])('against all assignments, linears of $outputs outputs', ({ outputs, cases }) => {
  it.each(Array.from({ length: cases }, (_, seed) => seed))('seed %d', (seed) => {
    const next = uniform(seed * 77 + 1);
    const channels = 3;
    const linears = outputs.map((o) => randomLinear(o, channels, next));
    const most = sum(outputs) * channels * 3;
    const best = optima(linears, channels, most);
    const largest = Math.max(
      ...linears.flatMap(({ gains }) => [...gains.values()].flatMap((g) => Array.from(g))),
    );
    let corners = 0;
    for (let budget = 0; budget <= most; budget++) {
      const { cost, gain } = account(linears, allocateBudget(linears, budget));
      expect(cost).toBeLessThanOrEqual(budget);
      expect(gain).toBeGreaterThanOrEqual(best[budget] - largest);
      if (!isCorner(best, budget)) continue;
      corners += 1;
      expect(gain).toBeCloseTo(best[budget], 12);
    }
    expect(corners).toBeGreaterThan(2);
  });
});

it('buys by gain per operation where linears have different outputs', () => {
  const linears = [stepGains(10, { 2: [5, 9] }), stepGains(2, { 2: [0.5, 1.5] })];
  // Worth per operation: .5 and .9, .25 and .75.
  expect(lists(allocateBudget(linears, 10))).toEqual([
    [1, 2],
    [1, 1],
  ]);
  expect(lists(allocateBudget(linears, 12))).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(lists(allocateBudget(linears, 9))).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(lists(allocateBudget(linears, 24))).toEqual([
    [2, 2],
    [2, 2],
  ]);
});

it('takes four steps at once where two alone are worth less', () => {
  const linears = [stepGains(1, { 2: [1, 4], 4: [9, 6] })];
  expect(lists(allocateBudget(linears, 1))).toEqual([[1, 2]]);
  expect(lists(allocateBudget(linears, 2))).toEqual([[1, 2]]);
  expect(lists(allocateBudget(linears, 4))).toEqual([[4, 2]]);
  expect(lists(allocateBudget(linears, 6))).toEqual([[4, 4]]);
});

it('does not buy the second upgrade of a channel whose first does not fit', () => {
  expect(lists(allocateBudget([stepGains(1, { 4: [9], 5: [10] })], 1))).toEqual([[1]]);
});

it('keeps one step without a budget, and where more steps bring nothing', () => {
  expect(lists(allocateBudget([stepGains(1, { 2: [1, 2], 4: [3, 4] })], 0))).toEqual([[1, 1]]);
  const unbounded = allocateBudget(
    [stepGains(1, { 2: [0, -1, 5, 3], 4: [0, -2, 4, 3] })],
    Number.POSITIVE_INFINITY,
  );
  expect(lists(unbounded)).toEqual([[1, 1, 2, 2]]);
});

it('gives equal gains to the first channels', () => {
  const linears = [stepGains(1, { 2: [1, 1] }), stepGains(1, { 2: [1, 1] })];
  expect(lists(allocateBudget(linears, 3))).toEqual([
    [2, 2],
    [2, 1],
  ]);
});

it.each([-1, Number.NaN])('refuses a budget of %d', (budget) => {
  expect(() => allocateBudget([], budget)).toThrow(
    `step budget: expected a number of operations of 0 or more, received ${budget}.`,
  );
});

it('refuses gains that are not numbers', () => {
  const linears = [stepGains(1, { 2: [1] }), stepGains(1, { 2: [1, 2], 4: [3, Number.NaN] })];
  expect(() => allocateBudget(linears, 9)).toThrow(
    'step gains: expected finite gains, received NaN for 4 steps of channel 1 of linear 1.',
  );
});
