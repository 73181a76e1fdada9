import { createReferenceBackend } from '@spikellm/backend';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  generateText,
  generateTokens,
  type Decoder,
  type Detokenizer,
  type GenerateOptions,
  type TextOptions,
} from '../src/index.ts';
import { loadFloat, loadSpiking, logitsOf, TINY_CONFIG, tinyIds } from './tiny.ts';

const backend = createReferenceBackend();
const prompt = [3, 1, 4];
let decoder: Decoder;
/** What the model says to the prompt, and the bytes that it holds before and after. */
let greedy: number[];
let idle: number;

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of from) all.push(item);
  return all;
}

async function tokens(options?: GenerateOptions, given: readonly number[] = prompt): Promise<number[]> {
  return await collect(generateTokens(decoder, given, options));
}

beforeAll(async () => {
  decoder = await loadFloat(backend);
  greedy = await tokens({ maxTokens: 8 });
  idle = backend.liveBytes;
});
afterAll(() => backend.dispose());

describe('generateTokens', () => {
  it('takes the likeliest token again and again, as the whole text at once has it', async () => {
    expect(greedy).toHaveLength(8);
    const rows = await logitsOf(decoder, [...prompt, ...greedy]);
    const likeliest = rows.map((row) => row.indexOf(Math.max(...row)));
    expect(likeliest.slice(prompt.length - 1, -1)).toEqual(greedy);
  });

  it('draws at most maxTokens, and at most what the context has room for', async () => {
    expect(await tokens({ maxTokens: 1 })).toEqual(greedy.slice(0, 1));
    const long = tinyIds(TINY_CONFIG.max_position_embeddings - 3);
    expect(await tokens({}, long)).toHaveLength(3);
    expect(await tokens({ maxTokens: 100 }, long)).toHaveLength(3);
  });

  it('ends before an end token, its own or the one of the config', async () => {
    const end = greedy.findIndex((id, i) => i > 0 && greedy.indexOf(id) === i);
    expect(end).toBeGreaterThan(0);
    expect(await tokens({ maxTokens: 8, endTokens: [30, greedy[end]] })).toEqual(greedy.slice(0, end));
    using other = await loadFloat(backend, { ...TINY_CONFIG, eos_token_id: greedy[end] });
    const drawn = await collect(generateTokens(other, prompt, { maxTokens: 8 }));
    expect(drawn).toEqual(greedy.slice(0, end));
    const on = await collect(generateTokens(other, prompt, { maxTokens: 8, endTokens: [] }));
    expect(on).toEqual(greedy);
  });

  it('draws the same text from the same seed', async () => {
    const of = (seed: number) => tokens({ maxTokens: 20, temperature: 1.5, seed });
    expect(await of(1)).toEqual(await of(1));
    expect(await of(1)).not.toEqual(await of(2));
  });

  it('frees the cache at the end, and when the loop is left', async () => {
    await tokens({ maxTokens: 2 });
    expect(backend.liveBytes).toBe(idle);
    for await (const id of generateTokens(decoder, prompt)) {
      expect(id).toBe(greedy[0]);
      expect(backend.liveBytes).toBeGreaterThan(idle);
      break;
    }
    expect(backend.liveBytes).toBe(idle);
  });

  it('rejects with the reason of its signal, and frees the cache', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const id of generateTokens(decoder, prompt, { signal: controller.signal })) {
        seen.push(id);
        if (seen.length === 2) controller.abort(reason);
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(seen).toEqual(greedy.slice(0, 2));
    expect(backend.liveBytes).toBe(idle);
    await expect(tokens({ signal: controller.signal })).rejects.toBe(reason);
  });

  it('runs spiking models, but not with the published key quantiser', async () => {
    using spiking = await loadSpiking(backend, 'block');
    expect(await collect(generateTokens(spiking, prompt, { maxTokens: 9 }))).toHaveLength(9);
    using published = await loadSpiking(backend, 'whole');
    await expect(generateTokens(published, prompt).next()).rejects.toThrow(
      "generate: expected a causal model, quantised with --kv block, token or float, received kv.key 'whole', whose key ranges see later tokens.",
    );
  });

  it.each([
    {
      what: 'an empty prompt',
      given: [],
      message: 'prompt: expected 1 to 63 tokens, the context of the model less one, received 0.',
    },
    {
      what: 'a prompt that leaves no room',
      given: tinyIds(64),
      message: 'prompt: expected 1 to 63 tokens, the context of the model less one, received 64.',
    },
    {
      what: 'an unknown token',
      given: [31],
      message:
        'forward: expected token ids from 0 to 30, received 31; check that the tokenizer belongs to this model.',
    },
    {
      what: 'no tokens to draw',
      options: { maxTokens: 0 },
      message: 'max-tokens: expected a whole number above 0, received 0.',
    },
    {
      what: 'a temperature below 0',
      options: { temperature: -1 },
      message: 'temperature: expected a number of 0 or more, received -1.',
    },
  ])('refuses $what', async ({ given = prompt, options, message }) => {
    await expect(tokens(options, given)).rejects.toThrow(message);
    expect(backend.liveBytes).toBe(idle);
  });
});

/** Says these texts one after the other, whatever the ids are. */
function speaking(texts: readonly string[], end = ''): Detokenizer {
  const left = [...texts];
  return { push: () => left.shift() ?? '', end: () => end };
}

async function pieces(texts: readonly string[], stop: readonly string[], end?: string): Promise<string[]> {
  const options: TextOptions = { detokenizer: speaking(texts, end), stop, maxTokens: texts.length };
  const all = await collect(generateText(decoder, prompt, options));
  return all.map(({ text }) => text);
}

it('never draws an id that the detokenizer has no token for', async () => {
  const detokenizer = { push: String, end: () => '', has: (id: number) => id !== greedy[0] };
  for (const temperature of [0, 2]) {
    const options = { maxTokens: 20, endTokens: [], temperature, detokenizer };
    const drawn = await collect(generateText(decoder, prompt, options));
    expect(drawn.map(({ id }) => id)).not.toContain(greedy[0]);
  }
});

describe('generateText', () => {
  it('gives each id with the text that is certain, and the rest without one', async () => {
    const options = { detokenizer: speaking(['On', '', 'ce'], '!'), maxTokens: 3 };
    expect(await collect(generateText(decoder, prompt, options))).toEqual([
      { id: greedy[0], text: 'On' },
      { id: greedy[1], text: '' },
      { id: greedy[2], text: 'ce' },
      { id: undefined, text: '!' },
    ]);
  });

  it('stops at a text that straddles tokens, and shows nothing of it', async () => {
    expect(await pieces(['Once', ' up', 'on a', ' time'], ['ce upon'])).toEqual(['On', '', '']);
    expect(await pieces(['a\n', '\nb', 'c'], ['\n\n'])).toEqual(['a', '']);
    expect(await pieces(['one. ', 'two. '], ['. t'])).toEqual(['one', '']);
  });

  it('shows what was held back when the stop text does not come', async () => {
    expect(await pieces(['ab', 'ac', 'abd', 'x'], ['abd'])).toEqual(['', 'abac', '']);
    expect(await pieces(['x', 'aab', 'c'], ['aabd'])).toEqual(['x', '', 'aabc']);
    expect(await pieces(['xa', 'b'], ['abc'])).toEqual(['x', '', 'ab']);
  });

  it('stops at the first of several texts', async () => {
    expect((await pieces(['one two', ' three'], ['three', 'two', 'wo'])).join('')).toBe('one ');
  });

  it('finds a stop text that only the end completes', async () => {
    expect(await pieces(['xa', 'b'], ['abc'], 'cd')).toEqual(['x', '', '']);
  });

  it('frees the cache at a stop text', async () => {
    await pieces(['ab', 'c', 'd'], ['b']);
    expect(backend.liveBytes).toBe(idle);
  });

  it('refuses an empty stop text', async () => {
    await expect(pieces(['a'], ['b', ''])).rejects.toThrow(
      'stop: expected texts of one character or more, received an empty one.',
    );
  });
});
