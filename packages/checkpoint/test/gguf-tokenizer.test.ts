import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { describe, expect, test } from 'vitest';
import { createMetadata } from '../src/gguf/metadata.ts';
import { PRE_TOKENIZERS } from '../src/gguf/pre-tokenizers.ts';
import { tokenizerFiles } from '../src/gguf/tokenizer.ts';
import type { GgufValue } from '../src/gguf/values.ts';
import {
  createCheckpoint,
  createMemoryFiles,
  openGguf,
  openModelFolder,
  type TextTokenizer,
} from '../src/index.ts';
import { loadTokenizer } from '../src/tokenizer.ts';
import { expectError, sharedGoldenOrSkip, sharedOrSkip } from './fixtures.ts';

type Values = Record<string, GgufValue>;

const filesOf = (values: Values) =>
  tokenizerFiles(
    createMetadata(
      'm.gguf',
      new Map(
        Object.entries({ architecture: 'llama', ...values }).map(([key, value]) => [
          key === 'architecture' ? 'general.architecture' : `tokenizer.${key}`,
          value,
        ]),
      ),
    ),
  );

async function tokenizerOf(values: Values): Promise<TextTokenizer> {
  const built = filesOf(values);
  const json = (value: unknown) => new Blob([JSON.stringify(value)]);
  const files = createMemoryFiles([
    ['m/tokenizer.json', json(built.definition())],
    ['m/tokenizer_config.json', json(built.config)],
  ]);
  return loadTokenizer('m', { files });
}

/** A SentencePiece vocabulary: bytes are tokens 3 to 258. */
const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
const PIECES = ['▁', 'a', 'b', 'ab', '▁a', 'ba', '  '];
const sentencePiece: Values = {
  'ggml.model': 'llama',
  'ggml.tokens': ['<unk>', '<s>', '</s>', ...BYTES, ...PIECES],
  'ggml.token_type': Int32Array.of(2, 3, 3, ...BYTES.map(() => 6), 1, 1, 1, 1, 1, 1, 4),
  'ggml.scores': Float32Array.of(0, 0, 0, ...BYTES.map(() => 0), -9, -9, -9, -2, -1, -3, 0),
};
const FIRST = 259;
const [space, a, b, ab, spaceA, ba, twoSpaces] = PIECES.map((_, i) => FIRST + i);

describe('a SentencePiece vocabulary', () => {
  test('joins the neighbours of the best score first, and begins with BOS and a space', async () => {
    const tokenizer = await tokenizerOf(sentencePiece);
    expect(tokenizer.encode('ab')).toEqual([1, spaceA, b]);
    expect(tokenizer.encode('bab')).toEqual([1, space, b, ab]);
    expect(tokenizer.encode('bba')).toEqual([1, space, b, ba]);
    expect(tokenizer.decode([1, spaceA, b, space, a])).toBe('ab a');
  });

  test('writes what is no token in bytes, and finds tokens of users in the text itself', async () => {
    const tokenizer = await tokenizerOf({ ...sentencePiece, 'ggml.add_space_prefix': false });
    expect(tokenizer.encode('é')).toEqual([1, 3 + 0xc3, 3 + 0xa9]);
    expect(tokenizer.decode([3 + 0xc3, 3 + 0xa9])).toBe('é');
    expect(tokenizer.encode('b  a')).toEqual([1, b, twoSpaces, a]);
    expect(tokenizer.decode([space, a])).toBe(' a');
  });

  test('is framed as the file says', async () => {
    const flags = { 'ggml.add_bos_token': false, 'ggml.add_eos_token': true };
    const tokenizer = await tokenizerOf({ ...sentencePiece, ...flags });
    expect(tokenizer.encode('a')).toEqual([spaceA, 2]);
    expect(filesOf({ ...sentencePiece, chat_template: '{{ x }}' }).config).toEqual({
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      add_bos_token: true,
      add_eos_token: false,
      chat_template: '{{ x }}',
      clean_up_tokenization_spaces: false,
    });
  });
});

describe('a byte-level vocabulary', () => {
  const byteLevel: Values = {
    'ggml.model': 'gpt2',
    'ggml.pre': 'llama-bpe',
    'ggml.tokens': ['<s>', 'a', 'b', 'Ġ', 'Ġa', 'ab', '1', '2', '12', 'abab', '<x>'],
    'ggml.token_type': Int32Array.of(3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4),
    'ggml.merges': ['Ġ a', 'a b', '1 2'],
    'ggml.bos_token_id': 0,
  };

  test('merges within words, begins as its kind does, and takes whole words as they are', async () => {
    const tokenizer = await tokenizerOf(byteLevel);
    expect(tokenizer.encode('ab ab12<x>')).toEqual([0, 5, 4, 2, 8, 10]);
    expect(tokenizer.encode('abab')).toEqual([0, 9]);
    expect(tokenizer.decode([0, 5, 4, 2, 10])).toBe('ab ab<x>');
  });

  test('is cut by the patterns of its kind', async () => {
    const tokenizer = await tokenizerOf({ ...byteLevel, 'ggml.pre': 'smollm' });
    expect(tokenizer.encode('12 abab')).toEqual([6, 7, 4, 2, 5]);
  });

  test.for<readonly [string, Values, 'UNSUPPORTED' | 'CORRUPT_FILE' | 'MISSING', RegExp]>([
    [
      'cut in an unknown way',
      { 'ggml.pre': 'new' },
      'UNSUPPORTED',
      /tokenizer\.ggml\.pre among default, .*received new/,
    ],
    ['of an unknown model', { 'ggml.model': 'rwkv' }, 'UNSUPPORTED', /among llama, gpt2, received rwkv/],
    [
      'with a token twice',
      { 'ggml.tokens': Array.from({ length: 11 }, () => 'a') },
      'CORRUPT_FILE',
      /"a" twice/,
    ],
    [
      'with a token of 4096 characters',
      { 'ggml.tokens': ['a'.repeat(4096)], 'ggml.token_type': Int32Array.of(1), 'ggml.bos_token_id': 0 },
      'CORRUPT_FILE',
      /tokens of at most 2048 characters, received 4096 of token 0/,
    ],
    [
      'with too few types',
      { 'ggml.token_type': Int32Array.of(1) },
      'CORRUPT_FILE',
      /for each of 11 tokens, received 1/,
    ],
    [
      'with a merge of one',
      { 'ggml.merges': ['ab'] },
      'CORRUPT_FILE',
      /two tokens with a space between, received "ab"/,
    ],
    [
      'with BOS outside',
      { 'ggml.bos_token_id': 11 },
      'CORRUPT_FILE',
      /bos_token_id: expected a token of 11, received 11/,
    ],
    [
      'with numbers for tokens',
      { 'ggml.tokens': Int32Array.of(1) },
      'CORRUPT_FILE',
      /tokens: expected a list of strings/,
    ],
  ])('%s is refused', async ([, values, code, sentence]) => {
    const building = (async () => tokenizerOf({ ...byteLevel, ...values }))();
    await expectError(building, code, sentence);
  });

  test('without merges is refused', async () => {
    const { 'ggml.merges': _, ...rest } = byteLevel;
    await expectError((async () => tokenizerOf(rest))(), 'MISSING', /the key tokenizer\.ggml\.merges/);
  });
});

describe('a pattern', () => {
  const TEXT = "I'LL pay $1,234.50  for don't…\r\n\n  Grüße HelloWorld's cafe\u0301 日本 x²!/\n \t";

  /** What a pattern matches, and what is left between. */
  function cut(text: string, pattern: string): string[] {
    const pieces: string[] = [];
    let end = 0;
    for (const { 0: match, index } of text.matchAll(new RegExp(pattern, 'gu'))) {
      pieces.push(text.slice(end, index), match);
      end = index + match.length;
    }
    return [...pieces, text.slice(end)].filter((piece) => piece !== '');
  }

  // Cut by the Rust library `tokenizers` 0.23, with the patterns that transformers 5.24 has for these kinds.
  test.for([
    [
      'llama-bpe',
      "I¦'LL¦ pay¦ $¦1¦,¦234¦.¦50¦ ¦ for¦ don¦'t¦…\r\n\n¦ ¦ Grüße¦ HelloWorld¦'s¦ cafe¦\u0301¦ 日本¦ x¦²¦!/\n¦ \t",
    ],
    [
      'qwen2',
      "I¦'LL¦ pay¦ $¦1¦,¦2¦3¦4¦.¦5¦0¦ ¦ for¦ don¦'t¦…\r\n\n¦ ¦ Grüße¦ HelloWorld¦'s¦ cafe¦\u0301¦ 日本¦ x¦²¦!/\n¦ \t",
    ],
    [
      'tekken',
      "I¦'LL¦ pay¦ $¦1¦,¦2¦3¦4¦.¦5¦0¦ ¦ for¦ don¦'t¦…\r\n\n¦ ¦ Grüße¦ Hello¦World¦'s¦ cafe\u0301¦ 日本¦ x¦²¦!/\n¦ \t",
    ],
    [
      'gpt-4o',
      "I'LL¦ pay¦ $¦1¦,¦234¦.¦50¦ ¦ for¦ don't¦…\r\n\n¦ ¦ Grüße¦ Hello¦World's¦ cafe\u0301¦ 日本¦ x¦²¦!/\n¦ \t",
    ],
    [
      'gpt-2',
      "I¦'¦LL¦ pay¦ $¦1¦,¦234¦.¦50¦ ¦ for¦ don¦'t¦…¦\r\n\n ¦ Grüße¦ HelloWorld¦'s¦ cafe¦\u0301¦ 日本¦ x¦²¦!/¦\n \t",
    ],
    [
      'smollm',
      "I¦'¦LL¦ pay¦ $¦1¦,¦2¦3¦4¦.¦5¦0¦ ¦ for¦ don¦'t¦…¦\r\n\n ¦ Grüße¦ HelloWorld¦'s¦ cafe¦\u0301¦ 日本¦ x¦²¦!/¦\n \t",
    ],
    [
      'default',
      "I¦'¦LL¦ pay¦ ¦$¦1¦,¦234¦.¦50¦ ¦ for¦ don¦'¦t¦…¦\r\n\n ¦ Grüße¦ HelloWorld¦'¦s¦ cafe¦\u0301¦ 日本¦ x¦²¦!/¦\n \t",
    ],
  ])('of %s cuts as the tokenizers do that it stands for', ([kind, words]) => {
    const { patterns } = PRE_TOKENIZERS[kind];
    const pieces = patterns.reduce((texts, pattern) => texts.flatMap((text) => cut(text, pattern)), [TEXT]);
    expect(pieces.join('¦')).toBe(words);
  });

  test('joins to the text again, of every kind', () => {
    for (const [kind, { patterns }] of Object.entries(PRE_TOKENIZERS)) {
      const pieces = patterns.reduce((texts, pattern) => texts.flatMap((text) => cut(text, pattern)), [TEXT]);
      expect({ kind, text: pieces.join('') }).toEqual({ kind, text: TEXT });
    }
  });
});

describe('a real file', () => {
  test('of stories260k has the ids of the tokenizer that it was made from', async (context) => {
    const shared = sharedOrSkip(context);
    await using folder = await openGguf(sharedGoldenOrSkip(context, 'gguf/stories260k-q8_0.gguf'));
    await using source = await openModelFolder(join(shared, 'models', 'stories260k'));
    const [got, wanted] = [await folder.tokenizer(), await source.tokenizer()];
    expect(got.vocabularySize).toBe(wanted.vocabularySize);
    const text = readFileSync(join(shared, 'text', 'tinystories-excerpt.txt'), 'utf8').slice(0, 100_000);
    for (const part of [text, '', ' ', '  two  spaces\n\n \n ▁ é 😀 漢字 </s> after'.repeat(3)]) {
      const ids = wanted.encode(part);
      expect(got.encode(part)).toEqual(ids);
      expect(got.decode(ids)).toBe(wanted.decode(ids));
    }
  });

  test('gives its tokenizer to a folder that is made from it', async (context) => {
    await using folder = await openGguf(sharedGoldenOrSkip(context, 'gguf/stories260k-q8_0.gguf'));
    const files = createMemoryFiles();
    const writer = await createCheckpoint('made', { fingerprint: {}, resume: false, files });
    await writer.writeShard('model', [['a', new Tensor('float32', [1], [1])]]);
    await writer.finish(folder.config, folder);
    await using made = await openModelFolder('made', { files });
    const [got, wanted] = [await made.tokenizer(), await folder.tokenizer()];
    expect(got.encode('Once upon a time')).toEqual(wanted.encode('Once upon a time'));
  });

  test('of SmolLM2 has the ids that transformers gives', async (context) => {
    const model = 'models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf';
    const path = join(sharedOrSkip(context), model);
    if (!existsSync(path)) context.skip('SmolLM2 is not there');
    const numbers = sharedGoldenOrSkip(context, 'smollm2.json');
    const golden = JSON.parse(readFileSync(numbers, 'utf8')) as { tokens: { text: string; ids: number[] }[] };
    await using folder = await openGguf(path);
    const tokenizer = await folder.tokenizer();
    expect(golden.tokens.length).toBeGreaterThan(10);
    for (const { text, ids } of golden.tokens) {
      expect(tokenizer.encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text.replaceAll(/<\|\w+\|>/g, ''));
    }
    expect(folder.tokenizerConfig.chat_template).toMatch(/^\{% for message in messages %\}/);
  });
});
