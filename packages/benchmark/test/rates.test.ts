import { createReferenceBackend } from '@spikellm/backend';
import { loadDecoder } from '@spikellm/graph';
import { expect, it } from 'vitest';
import {
  benchmarkModel,
  floatLinearRate,
  spikingLinearRate,
  spreadOf,
  syntheticModel,
  weightStreamRate,
  type Spread,
} from '../src/index.ts';

function expectSpread({ median, min, max }: Spread): void {
  expect(min).toBeGreaterThan(0);
  expect(median).toBeGreaterThanOrEqual(min);
  expect(max).toBeGreaterThanOrEqual(median);
  expect(max).toBeLessThan(Infinity);
}

it.each([
  { rounds: [3], spread: { median: 3, min: 3, max: 3 } },
  { rounds: [3, 1, 20], spread: { median: 3, min: 1, max: 20 } },
  { rounds: [4, 1, 3, 20], spread: { median: 3.5, min: 1, max: 20 } },
])('$rounds has a median and extremes', ({ rounds, spread }) => {
  expect(spreadOf(rounds)).toEqual(spread);
});

it('kernels have rates on any backend, and leave nothing behind', async () => {
  using backend = createReferenceBackend();
  for (const rate of [spikingLinearRate, weightStreamRate, floatLinearRate]) {
    expectSpread(await rate(backend, { tokens: 4, inputs: 32, outputs: 16, rounds: 1 }));
    expect(backend.liveBytes).toBe(0);
  }
});

it('a decoder has rates of its prompt and of decoding, and can be stopped', async () => {
  using backend = createReferenceBackend();
  using decoder = await loadDecoder({ ...syntheticModel({ shape: 'tiny' }), backend });
  const before = backend.liveBytes;
  const options = { promptTokens: 4, decodeTokens: 2, rounds: 2 };
  const { prompt, decode } = await benchmarkModel(decoder, options);
  expectSpread(prompt);
  expectSpread(decode);
  expect(backend.liveBytes).toBe(before);
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(benchmarkModel(decoder, { ...options, signal })).rejects.toThrow('stopped');
});
