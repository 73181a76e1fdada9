import { expect, test } from 'vitest';
import type { SpikingConfig } from '@spikellm/graph';
import { createScorer, findTask, follow, prepareTask, runTask, type Sequence } from '../src/index.ts';
import { loadToy, someIds, spiking, toyTensors } from './toy.ts';

const ids = someIds(60);
const sequence = (context: number, ...tokens: number[]): Sequence => ({ tokens, context });
const context = ids.slice(0, 21);
/** Choices with the same context, one the beginning of another, one twice, of one token, with another context. */
const SEQUENCES: readonly Sequence[] = [
  sequence(21, ...context, ...ids.slice(30, 36)),
  sequence(21, ...context, ...ids.slice(30, 33)),
  sequence(21, ...context, ...ids.slice(30, 34), 5, 6, 7),
  sequence(21, ...context, ...ids.slice(30, 36)),
  sequence(21, ...context, 9),
  sequence(7, ...context.slice(0, 6), ...ids.slice(40, 44)),
  sequence(15, ...context.slice(0, 15), ...ids.slice(40, 43)),
];

const CACHES: readonly (SpikingConfig['kv']['key'] | undefined)[] = [
  undefined,
  'float',
  'token',
  'block',
  'whole',
];

test.each(CACHES)('what texts share is run once and scored as if it was not (keys: %s)', async (key) => {
  const config = key && spiking({ kv: { key, block: 8 } });
  using decoder = await loadToy(toyTensors(config), config);
  const before = decoder.backend.liveBytes;
  let tokens = 0;
  const counting = {
    ...decoder,
    forward: ((run, ...rest) => {
      tokens += run.length;
      return decoder.forward(run, ...rest);
    }) as typeof decoder.forward,
  };
  const scorer = createScorer(counting, 30);
  const together = await scorer.score(SEQUENCES);
  const shared = tokens;
  const alone = [];
  for (const each of SEQUENCES) alone.push((await scorer.score([each]))[0]);
  scorer[Symbol.dispose]();
  expect(together).toEqual(alone);
  // Published keys see later tokens, so nothing of them can be shared.
  const share = shared / (tokens - shared);
  expect(share).toBeLessThanOrEqual(key === 'whole' ? 1 : 1 / 2);
  for (const [i, each] of SEQUENCES.entries()) {
    const { sum, greedy } = await fromLogits(decoder, each);
    expect(together[i].logLikelihood).toBeCloseTo(sum, 4);
    expect(together[i].greedy).toBe(greedy);
  }
  expect(decoder.backend.liveBytes).toBe(before);
});

/** The definition: log softmax at the positions before the continuation's tokens. */
async function fromLogits(
  decoder: Awaited<ReturnType<typeof loadToy>>,
  { tokens, context: given }: Sequence,
): Promise<{ sum: number; greedy: boolean }> {
  using cache = decoder.createCache(tokens.length - 1);
  using logits = decoder.forward(tokens.slice(0, -1), cache, { logits: 'all' });
  const { data } = await decoder.backend.read(logits);
  const size = logits.dims[1];
  let sum = 0;
  let greedy = true;
  for (let p = given - 1; p < tokens.length - 1; p++) {
    const row = Array.from((data as Float32Array).subarray(p * size, (p + 1) * size));
    sum += row[tokens[p + 1]] - Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0));
    greedy &&= row.indexOf(Math.max(...row)) === tokens[p + 1];
  }
  return { sum, greedy };
}

test('a continuation that the model would write itself is greedy', async () => {
  using decoder = await loadToy(toyTensors());
  const { backend } = decoder;
  const text = ids.slice(0, 5);
  for (let i = 0; i < 4; i++) {
    using cache = decoder.createCache(text.length);
    using logits = decoder.forward(text, cache, { logits: 'last' });
    const row = Array.from((await backend.read(logits)).data as Float32Array);
    text.push(row.indexOf(Math.max(...row)));
  }
  using scorer = createScorer(decoder, 8);
  const other = [...text.slice(0, -1), (text.at(-1)! + 1) % 40];
  const scores = await scorer.score([sequence(5, ...text), sequence(5, ...other)]);
  expect(scores.map(({ greedy }) => greedy)).toEqual([true, false]);
});

const task = findTask('boolq');
const tokenizer = { encode: (text: string) => Array.from(text, (letter) => letter.charCodeAt(0) % 40) };
const items = ['this is', 'that was', 'they were'].map((text) => ({
  requests: ['no', 'yes'].map((answer) => follow(text, answer)),
  gold: 0,
}));

test('finished items are not run again', async () => {
  using decoder = await loadToy(toyTensors());
  const prepared = prepareTask(task, items, { tokenizer, contextLength: 64 });
  const seen: string[] = [];
  const kept: number[] = [];
  const whole = await runTask(decoder, prepared, {
    onItem: ({ index }) => void kept.push(index),
    onProgress: (done, total) => seen.push(`${done}/${total}`),
  });
  expect(kept).toEqual([0, 1, 2]);
  expect(seen).toEqual(['1/3', '2/3', '3/3']);
  kept.length = 0;
  const rest = await runTask(decoder, prepared, {
    finished: [whole.items[1], { index: 7, logLikelihoods: [], greedy: [] }],
    onItem: ({ index }) => void kept.push(index),
  });
  expect(kept).toEqual([0, 2]);
  expect(rest).toEqual(whole);
});

test('stops between items, frees its memory and keeps the reason', async () => {
  using decoder = await loadToy(toyTensors());
  const before = decoder.backend.liveBytes;
  const abort = new AbortController();
  const run = runTask(decoder, prepareTask(task, items, { tokenizer, contextLength: 64 }), {
    signal: abort.signal,
    onItem: ({ index }) => (index === 1 ? abort.abort(new Error('enough')) : undefined),
  });
  await expect(run).rejects.toThrow('enough');
  expect(decoder.backend.liveBytes).toBe(before);
});
