/** What holds for every neuron of the list, those to come among them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NEURONS, sequence } from '../src/index.ts';
import { uniform } from './random.ts';

const next = uniform(11);
const inputs = Array.from({ length: 64 }, () => 4 * next() - 1);

describe.each(NEURONS)('$name', (kind) => {
  const { example } = kind;
  const run = sequence(
    (input, state, neuron: typeof example) => kind.step(input, state, neuron),
    (neuron) => kind.initial(neuron),
  );

  it('fires whole numbers of spikes and leaves frozen states', () => {
    const { spikes, states } = run(inputs, example);
    expect(spikes.every(Number.isInteger)).toBe(true);
    expect(new Set(spikes).size).toBeGreaterThan(1);
    for (const record of [example, kind.initial(example), ...states])
      expect(Object.isFrozen(record)).toBe(true);
  });

  it('is a pure function: the same again, also from the middle on', () => {
    const whole = run(inputs, example);
    expect(run(inputs, example)).toEqual(whole);
    const { states } = run(inputs.slice(0, 20), example);
    expect(run(inputs.slice(20), example, states[19]).spikes).toEqual(whole.spikes.slice(20));
  });

  it('is in the table of the README, with what its count means', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const rows = readme.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
    const row = rows.find((cells) => cells[1] === kind.name);
    expect(row?.[4]).toBe(kind.count);
  });
});

it('names are their own', () => {
  expect(new Set(NEURONS.map(({ name }) => name)).size).toBe(NEURONS.length);
});
