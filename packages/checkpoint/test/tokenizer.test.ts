import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readGolden } from '@spikellm/golden';
import { describe, expect, test, type TestContext } from 'vitest';
import { openModelFolder, type TextTokenizer } from '../src/index.ts';
import { loadTokenizer } from '../src/tokenizer.ts';
import { createEngine } from '../src/tokenizer/engine.ts';
import { cutAtWords } from '../src/tokenizer/words.ts';
import { expectError, sharedOrSkip, temporaryFolder } from './fixtures.ts';

const MODELS = ['tales', 'stories260k'] as const;

async function tokenizerOf(context: TestContext, model: (typeof MODELS)[number]): Promise<TextTokenizer> {
  await using folder = await openModelFolder(join(sharedOrSkip(context), 'models', model));
  return folder.tokenizer();
}

/** The golden numbers were made with every line end as \n. */
async function textOf(context: TestContext, file: string): Promise<string> {
  const text = await readFile(join(sharedOrSkip(context), 'text', file), 'utf8');
  return text.replaceAll('\r\n', '\n');
}

describe.for(MODELS)('%s', (model) => {
  test('encodes prompts and the evaluation text to the golden ids', async (context) => {
    const tokenizer = await tokenizerOf(context, model);
    const golden = readGolden(model);
    expect(golden.prompts.length).toBeGreaterThan(0);
    for (const { prompt, ids } of golden.prompts) expect(tokenizer.encode(prompt)).toEqual(ids);
    const text =
      model === 'tales'
        ? await textOf(context, 'tales-heldout.txt')
        : (await textOf(context, 'tinystories-excerpt.txt')).slice(0, 26_000);
    const ids = tokenizer.encode(text);
    expect(ids.slice(0, 32)).toEqual(golden.first_32_ids);
    expect(ids.length).toBe(golden.token_count);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  test('decodes what the model wrote, at once and as a stream', async (context) => {
    const tokenizer = await tokenizerOf(context, model);
    for (const { prompt, greedy_ids: ids, greedy_text: text } of readGolden(model).prompts) {
      // The golden text of this model joins the bare pieces: a space in front, and line ends by their byte's name.
      const expected = model === 'tales' ? text : text.slice(1).replaceAll('<0x0A>', '\n');
      expect(expected.startsWith(prompt)).toBe(true);
      expect(tokenizer.decode(ids)).toBe(expected);
      expect(streamed(tokenizer, ids).join('')).toBe(expected);
    }
  });

  test('cut at words gives the ids of the text in one piece', async (context) => {
    const path = join(sharedOrSkip(context), 'models', model);
    const json = async (file: string) => JSON.parse(await readFile(join(path, file), 'utf8'));
    const plain = createEngine(path, await json('tokenizer.json'));
    expect(cutAtWords(await json('tokenizer.json')).pre_tokenizer).toMatchObject({ type: 'Split' });
    const words = await tokenizerOf(context, model);
    const text = (await textOf(context, 'tales-heldout.txt')).slice(0, 50_000);
    const odd = '  two  spaces\n\n \n ▁ ▁▁a▁b\ttab — “quotes” é 😀 漢字 </s> after\u0000' + ' '.repeat(300);
    for (const part of [odd, text, text + odd, '', ' ', 'x']) {
      expect(words.encode(part, { special: false })).toEqual(plain.encode(part));
    }
  });

  test('streams any ids as decode writes them', async (context) => {
    const tokenizer = await tokenizerOf(context, model);
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 300; round++) {
      // Half of the ids are bytes, so that characters are cut and malformed in every way.
      const ids = Array.from({ length: 1 + random(12) }, () =>
        random(2) === 0 ? 3 + random(256) : random(tokenizer.vocabularySize),
      );
      expect({ ids, text: streamed(tokenizer, ids).join('') }).toEqual({ ids, text: tokenizer.decode(ids) });
    }
  });
});

/** What each push and the end give. */
function streamed(tokenizer: TextTokenizer, ids: readonly number[]): string[] {
  const stream = tokenizer.stream();
  return [...ids.map((id) => stream.push(id)), stream.end()];
}

describe('a stream', () => {
  /** The ids of the bytes of a text: byte b is token b + 3. */
  const bytes = (text: string): number[] => [...new TextEncoder().encode(text)].map((byte) => byte + 3);

  test('holds a character back until its last byte', async (context) => {
    const tokenizer = await tokenizerOf(context, 'tales');
    expect(streamed(tokenizer, bytes('a😀é!'))).toEqual(['a', '', '', '', '😀', '', 'é', '!', '']);
  });

  test('gives up a character that another token cuts off, and one that never ends', async (context) => {
    const tokenizer = await tokenizerOf(context, 'tales');
    const [first, second] = bytes('😀');
    const [letter] = bytes('x');
    expect(streamed(tokenizer, [first, second, letter])).toEqual(['', '', '\uFFFDx', '']);
    expect(streamed(tokenizer, [letter, first, second])).toEqual(['x', '', '', '\uFFFD']);
  });

  test('drops the first space only, and special tokens anywhere', async (context) => {
    const tokenizer = await tokenizerOf(context, 'tales');
    const [bos, the, king] = tokenizer.encode('the king');
    expect(streamed(tokenizer, [bos, the, bos, king, 2])).toEqual(['', 'the', '', ' king', '', '']);
  });

  test('can be used again after its end', async (context) => {
    const tokenizer = await tokenizerOf(context, 'tales');
    const [, the] = tokenizer.encode('the king');
    const stream = tokenizer.stream();
    expect([stream.push(the), stream.end(), stream.push(the), stream.end()]).toEqual(['the', '', 'the', '']);
  });
});

describe('a tokenizer', () => {
  test('knows its vocabulary and refuses ids outside it', async (context) => {
    const tokenizer = await tokenizerOf(context, 'tales');
    expect(tokenizer.vocabularySize).toBe(2048);
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([1, 2])).toBe('');
    for (const id of [-1, 2048, 1.5, NaN]) {
      const sentence = new RegExp(`token ids from 0 to 2047, received ${id}\\.`);
      await expectError((async () => tokenizer.decode([5, id]))(), 'INVALID_ARGUMENT', sentence);
      await expectError((async () => tokenizer.stream().push(id))(), 'INVALID_ARGUMENT', sentence);
    }
  });

  /** A copy of a model's tokenizer with other settings. */
  async function withConfig(context: TestContext, config: object | undefined): Promise<TextTokenizer> {
    const folder = await temporaryFolder();
    await cp(
      join(sharedOrSkip(context), 'models', 'tales', 'tokenizer.json'),
      join(folder, 'tokenizer.json'),
    );
    if (config !== undefined) await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
    return loadTokenizer(folder);
  }

  test('puts BOS and EOS where the config says, else as its template has them', async (context) => {
    const text = 'the king';
    const body = (await tokenizerOf(context, 'tales')).encode(text).slice(1);
    const ids = async (config?: object) => (await withConfig(context, config)).encode(text);
    expect(await ids()).toEqual([1, ...body]);
    expect(await ids({})).toEqual([1, ...body]);
    expect(await ids({ add_bos_token: false })).toEqual(body);
    expect(await ids({ add_bos_token: true, bos_token: { content: '<s>' } })).toEqual([1, ...body]);
    expect(await ids({ add_bos_token: false, add_eos_token: true, eos_token: '</s>' })).toEqual([...body, 2]);
    await expectError(ids({ add_bos_token: true, bos_token: '<bos>' }), 'MISMATCH', /bos_token.*"<bos>"/);
    await expectError(ids({ add_bos_token: true }), 'MISMATCH', /bos_token.*received none/);
  });

  test('that cannot be built is told with its file', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, '{"model":{"type":"BPE"}}');
    await expectError(loadTokenizer(folder), 'UNSUPPORTED', /tokenizer\.json: /);
    await writeFile(path, 'x');
    await expectError(loadTokenizer(folder), 'CORRUPT_FILE', /tokenizer\.json: expected JSON/);
    await rm(path);
    await expectError(loadTokenizer(folder), 'MISSING', /tokenizer\.json: /);
  });

  test('whose merges join words is left in one piece', async () => {
    const folder = await temporaryFolder();
    const vocab = Object.fromEntries(['<unk>', '▁', 'a', 'b', '▁b', 'a▁b'].map((piece, id) => [piece, id]));
    const definition = {
      added_tokens: [],
      normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab, merges: ['▁ b', 'a ▁b'], unk_token: '<unk>' },
    };
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(definition));
    expect((await loadTokenizer(folder)).encode('a b')).toEqual([5]);
  });
});
