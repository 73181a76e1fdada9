/** The metrics that there are, and what each makes of what is known. */
import { describe, expect, it } from 'vitest';
import { fisher, METRICS, metricOf, obs, random, type SiteChannels } from '../src/index.ts';
import { uniform } from './data.ts';

const site: SiteChannels = {
  layer: 2,
  site: 'qkv',
  channels: 3,
  saliency: [3, -1, 2],
  absmax: [9, 9, 9],
  random: uniform(5),
};

describe('metrics', () => {
  it('have names of their own, the default first', () => {
    const names = METRICS.map(({ name }) => name);
    expect(names).toEqual(['obs', 'random', 'fisher']);
    expect(names.map(metricOf)).toEqual(METRICS);
  });

  it('are those that there are', () => {
    expect(() => metricOf('size')).toThrow('saliency: expected obs, random, fisher, received size.');
  });
});

it('Optimal Brain Spiking keeps the sign of its scores', () => {
  expect(obs.needs).toBe('activations');
  expect(obs.score(site)).toEqual([3, -1, 2]);
});

it('random scores are draws in order, one a channel', () => {
  const next = uniform(5);
  expect(random.needs).toBe('nothing');
  expect(Array.from(random.score(site))).toEqual([next(), next(), next()]);
});

it('Fisher information weighs what steps take off the squared error', () => {
  const gradients = Float64Array.of(1, 10, 0);
  const errors = new Map([
    [1, Float64Array.of(4, 4, 4)],
    [2, Float64Array.of(1, 2, 0)],
    [4, Float64Array.of(0.5, 5, 0)],
  ]);
  expect(fisher.needs).toBe('gradients');
  expect(fisher.gains({ gradients, errors })).toEqual(
    new Map([
      [2, Float64Array.of(3, 20, 0)],
      [4, Float64Array.of(3.5, -10, 0)],
    ]),
  );
});
