/**
 * Straight-through gradients against central differences of what they are the gradient of: with codes held, a value inside
 * the range is x + (rint(u) - u) S and one outside it (code - zero) S, where S moves with the range. Values are distinct,
 * since a range has no derivative at a tie; how ties share is a case of the conformance suite.
 */
import { createReferenceBackend, createRunner, rint, type GifFormat } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createSpikeRounding, createTape, createWorkspace } from '../src/index.ts';
import { createRandom } from './random.ts';

const runner = createRunner(createReferenceBackend());
const workspace = createWorkspace(runner);
const { backend } = runner;
const tensor = (data: ArrayLike<number>, ...dims: number[]) =>
  runner.upload({ type: 'float32', data: Float32Array.from(data), dims });
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const weightOf = (i: number): number => 0.5 + ((7 * i) % 11) / 10;

/** What a group becomes when its range is [low, high] and its codes are those of the range [low0, high0]. */
interface Range {
  readonly low: number;
  readonly high: number;
}
const held = (x: number, x0: number, now: Range, then: Range, levels: number): number => {
  const scale = (now.high - now.low) / levels;
  const scale0 = (then.high - then.low) / levels;
  const zero = rint(-then.low / scale0);
  const code = rint(x0 / scale0) + zero;
  if (code < 0 || code > levels) return (Math.min(levels, Math.max(0, code)) - zero) * scale;
  return x + (rint(x0 / scale0) - x0 / scale0) * scale;
};
const endsOf = (x: readonly number[]): Range => ({ low: Math.min(...x), high: Math.max(...x) });

const derivative = (f: (offset: number) => number, step = 1e-4): number =>
  (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step);
const expectGradient = (got: ArrayLike<number>, want: readonly number[]): void => {
  expect(got).toHaveLength(want.length);
  want.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(2e-6 + 2e-5 * Math.abs(value)));
};

describe.each([
  ['the input of a linear', { H: 1, D: 13, block: 1 }],
  ['heads of a token', { H: 3, D: 5, block: 1 }],
  ['keys per channel in blocks', { H: 6, D: 1, block: 4 }],
  ['keys per channel over the window', { H: 6, D: 1, block: 1000 }],
])('%s', (_, { H, D, block }) => {
  it.each(['lossless', 'saturating'] as const)('has its gradient in the %s range', async (span) => {
    const N = 7;
    const width = H * D;
    const random = createRandom(width + block);
    const x = range(N * width).map(() => Math.fround(random() * 3 + 1));
    const steps = Uint8Array.from(range(width), (c) => (c % 3 === 0 ? 2 : 1));
    const format: GifFormat = { bits: 3, range: span };
    const levelsOf = (T: number): number => (span === 'lossless' ? T * 7 : T * 8 - 1);
    const groupOf = (i: number): string => `${Math.floor(i / width / block)} ${Math.floor((i % width) / D)}`;
    const groups = new Map<string, number[]>();
    for (const i of range(x.length)) groups.set(groupOf(i), [...(groups.get(groupOf(i)) ?? []), i]);
    const surrogate = (now: readonly number[]): number[] =>
      now.map((value, i) => {
        const group = groups.get(groupOf(i))!;
        const rangeOf = (values: readonly number[]): Range => endsOf(group.map((j) => values[j]));
        return held(value, x[i], rangeOf(now), rangeOf(x), levelsOf(steps[i % width]));
      });

    const rounding = createSpikeRounding(runner, { ...format, classes: [1, 2], H, D, block }, steps);
    using tape = createTape(workspace);
    const value = tape.parameter(tensor(x, N, width));
    const y = tape.spikes(value, rounding);
    const rounded = (await backend.read(y.tensor)).data as Float32Array;
    surrogate(x).forEach((want, i) => expect(rounded[i]).toBeCloseTo(want, 5));
    const masks = range(x.length).map(weightOf);
    const gradients = tape.backward(tape.squaredError(y, tensor(masks, N, width)));
    const loss = (now: readonly number[]): number =>
      total(surrogate(now).map((at, i) => (at - masks[i]) ** 2)) / x.length;
    expectGradient(
      (await backend.read(gradients.get(value)!)).data as Float32Array,
      x.map((at, i) => derivative((offset) => loss(x.with(i, at + offset)))),
    );
  });
});

it('a weight has the gradients of its scales and of its clipping', async () => {
  const [O, C] = [3, 7];
  const random = createRandom(5);
  const draw = (count: number, of: (x: number) => number): number[] =>
    range(count).map(() => Math.fround(of(random())));
  const start: Record<string, number[]> = {
    weight: draw(O * C, (x) => x),
    columns: draw(C, (x) => 1 + x / 2),
    rows: draw(O, (x) => 1 + x / 2),
    upper: draw(O, (x) => 1 + x),
    lower: draw(O, (x) => 1 + x),
  };
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const scaled = ({ weight, columns, rows }: typeof start): number[] =>
    weight.map((w, i) => w * columns[i % C] * rows[Math.floor(i / C)]);
  const rowRange = (at: typeof start, o: number): Range => {
    const { low, high } = endsOf(scaled(at).slice(o * C, (o + 1) * C));
    return { low: sigmoid(at.lower[o]) * low, high: sigmoid(at.upper[o]) * high };
  };
  const surrogate = (now: typeof start): number[] => {
    const before = scaled(start);
    return scaled(now).map((w, i) => {
      const o = Math.floor(i / C);
      return held(w, before[i], rowRange(now, o), rowRange(start, o), 7);
    });
  };

  using tape = createTape(workspace);
  const values = Object.fromEntries(
    Object.entries(start).map(([name, data]) => {
      const dims = name === 'weight' ? [O, C] : [data.length];
      return [name, tape.parameter(tensor(data, ...dims))];
    }),
  );
  const { weight, ...training } = values;
  const y = tape.roundWeight(weight, training, 3);
  const rounded = (await backend.read(y.tensor)).data as Float32Array;
  surrogate(start).forEach((want, i) => expect(rounded[i]).toBeCloseTo(want, 5));
  const masks = range(O * C).map(weightOf);
  const gradients = tape.backward(tape.squaredError(y, tensor(masks, O, C)));
  const loss = (now: typeof start): number =>
    total(surrogate(now).map((at, i) => (at - masks[i]) ** 2)) / masks.length;
  for (const [name, data] of Object.entries(start)) {
    expectGradient(
      (await backend.read(gradients.get(values[name])!)).data as Float32Array,
      data.map((at, i) =>
        derivative((offset) => loss({ ...start, [name]: data.with(i, at + offset) }), 1e-5),
      ),
    );
  }
});
