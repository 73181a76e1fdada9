/** Rotary embeddings that depend on how long a text gets: said once, kept, and never crossed. */
import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { afterAll, describe, expect, it } from 'vitest';
import { generateTokens, loadDecoder, type Decoder } from '../src/index.ts';
import { floatTensors, largestDifference, logitsOf, TINY_CONFIG, tinyIds } from './tiny.ts';

const DYNAMIC = {
  ...TINY_CONFIG,
  max_position_embeddings: 16,
  rope_parameters: { rope_type: 'dynamic', factor: 2 },
};
const LONG = {
  ...TINY_CONFIG,
  original_max_position_embeddings: 16,
  rope_parameters: { rope_type: 'longrope', short_factor: [1, 1.1], long_factor: [2, 4] },
};

const backend: Backend = createReferenceBackend();
afterAll(() => backend.dispose());
const load = (config: object, context?: number): Promise<Decoder> =>
  loadDecoder({
    backend,
    context,
    config: { ...config },
    tensors: memorySource(floatTensors({ ...config })),
  });
const ids = tinyIds(24);

describe.each([
  ['dynamic', DYNAMIC],
  ['longrope', LONG],
])('%s', (_, config) => {
  it('is the same at once, in parts and token by token, where the length was declared', async () => {
    using decoder = await load(config, 24);
    const whole = await logitsOf(decoder, ids);
    for (const chunks of [[ids.slice(0, 5), ids.slice(5)], ids.map((id) => [id])])
      expect(largestDifference(await logitsOf(decoder, ...chunks), whole)).toBeLessThan(1e-5);
  });

  it('has the angles of the declared length from the first token on', async () => {
    using long = await load(config, 24);
    using short = await load(config, 16);
    using free = await load(config);
    const start = ids.slice(0, 8);
    const [ofLong, ofShort, ofFree] = [
      await logitsOf(long, start),
      await logitsOf(short, start),
      await logitsOf(free, start),
    ];
    expect(largestDifference(ofLong, ofShort)).toBeGreaterThan(1e-3);
    expect(ofFree).toEqual(ofShort);
    expect((await logitsOf(long, ids)).slice(0, 8)).toEqual(ofLong);
  });

  it('refuses what is longer than was declared', async () => {
    using decoder = await load(config, 12);
    expect(decoder.context).toBe(12);
    using cache = decoder.createCache(12);
    expect(cache.context).toBe(12);
    expect(() => decoder.createCache(13)).toThrow(
      'KV cache: expected at most 12 positions, the context that was declared, received 13; declare a longer one: rotary embeddings are made for it.',
    );
    const answer = generateTokens(decoder, ids.slice(0, 12), { maxTokens: 4 });
    await expect(answer.next()).rejects.toThrow('prompt: expected 1 to 11 tokens');
  });

  it('generates up to the declared length, and not beyond', async () => {
    using decoder = await load(config, 12);
    const drawn: number[] = [];
    for await (const id of generateTokens(decoder, ids.slice(0, 8), { maxTokens: 20, endTokens: [] }))
      drawn.push(id);
    expect(drawn).toHaveLength(4);
  });
});

it('takes texts beyond the context of training only where angles fit themselves to them', async () => {
  using dynamic = await load(DYNAMIC);
  expect(dynamic.context).toBe(Infinity);
  expect(await logitsOf(dynamic, ids)).toHaveLength(24);
  using plain = await load({ ...TINY_CONFIG, max_position_embeddings: 16 });
  expect(plain.context).toBe(16);
  expect(() => plain.createCache(24)).toThrow('expected 1 to 16 positions, the context of the model');
  await expect(load({ ...TINY_CONFIG, max_position_embeddings: 16 }, 24)).rejects.toThrow(
    'expected 1 to 16 positions, the context of the model',
  );
});
