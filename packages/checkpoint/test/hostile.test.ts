/** Files that were made to hang or exhaust who reads them. */
import { execFile } from 'node:child_process';
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createCheckpoint, openModelFolder, openSafetensors, type TextTokenizer } from '../src/index.ts';
import { loadTokenizer } from '../src/tokenizer.ts';
import { expectError, safetensorsBytes, temporaryFile, temporaryFolder } from './fixtures.ts';

const WEIGHTS = safetensorsBytes({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, [1]);

async function modelFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = await temporaryFolder();
  const all = { 'config.json': '{}', 'model.safetensors': WEIGHTS, ...files };
  for (const [name, content] of Object.entries(all)) await writeFile(join(path, name), content);
  return path;
}

const BASE = {
  model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] },
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
};

async function openTokenizer(path: string): Promise<TextTokenizer> {
  await using folder = await openModelFolder(path);
  return await folder.tokenizer();
}

const tokenizer = async (definition: object) =>
  loadTokenizer(await modelFolder({ 'tokenizer.json': JSON.stringify({ ...BASE, ...definition }) }));

const split = (Regex: string): object => ({
  pre_tokenizer: { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
});

describe('ids', () => {
  test.for([1e9, 1_000_002, -1, 0.5, '1', null])('of %j are refused', async (id) => {
    const model = { ...BASE.model, vocab: { a: 0, b: id } };
    await expectError(
      tokenizer({ model }),
      'CORRUPT_FILE',
      /tokenizer\.json: expected the id of token "b" from 0 to 1000001, as 2 tokens need, received/,
    );
  });

  test('of added tokens and of nested vocabularies are held against the same bound', async () => {
    const added = [{ id: 1e9, content: 'c', special: true }];
    await expectError(tokenizer({ added_tokens: added }), 'CORRUPT_FILE', /an added token .*1000000000/);
    const model = { vocab: { eng: { a: 0, b: 1e9 } } };
    await expectError(tokenizer({ model }), 'CORRUPT_FILE', /1000000000/);
  });

  test('may have holes', async () => {
    const model = { ...BASE.model, vocab: { a: 0, b: 500_000 } };
    expect((await tokenizer({ model })).vocabularySize).toBe(500_001);
  });
});

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const TAIL = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

/** Patterns of tokenizers that are in use. */
const REAL: Readonly<Record<string, string>> = {
  'GPT-2, Phi-2, Falcon': String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  'LLaMA 3': String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${TAIL}`,
  'Qwen2, Qwen3': String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${TAIL}`,
  'cl100k, Phi-4': String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
  o200k: String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${TAIL}`,
  'Mistral tekken': String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${TAIL}`,
  'DeepSeek-V3': String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${TAIL}`,
  'DeepSeek-V3, CJK': '[一-龥぀-ゟ゠-ヿ]+',
  'DeepSeek Coder': String.raw`[\r\n]|\s?\p{L}+|\s?\p{P}+|[一-龥ࠀ-一가-퟿]+|\p{N}+`,
  'Falcon, numbers': '[0-9][0-9][0-9]',
  'digits in threes from the right': String.raw`\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`,
  BLOOM: ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  'Kimi K2': String.raw`[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+${CONTRACTIONS}?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*${CONTRACTIONS}?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${TAIL}`,
  'words of LLaMA 2 and Gemma': '▁*[^▁]+|▁+',
};

describe('regular expressions', () => {
  test.for(Object.entries(REAL))('of %s are allowed', async ([, Regex]) => {
    const found = await tokenizer(split(Regex));
    expect(found.encode('a b')).toContain(1);
  });

  test.for([
    '(a|aa)+$',
    '(a+)+$',
    '(?:a*)*b',
    String.raw`(\w|\d)+x`,
    String.raw`(?:\p{L}+\s?)+$`,
    '(a|aa){40}$',
    '(a?){40}a{40}',
    `${'a?'.repeat(40)}${'a'.repeat(40)}`,
    `${'(?:a|a)'.repeat(40)}b`,
    `${'a*'.repeat(12)}b`,
    '(?=(a|aa)+$)a',
    '((a|b)*c|d+)*e',
    `a{1,20}`.repeat(9),
    'x'.repeat(20_000),
  ])('%s is refused', async (Regex) => {
    await expectError(tokenizer(split(Regex)), 'UNSUPPORTED', /regular expression .*could take for ever/);
  });

  test.for([
    ['normalizer', { normalizer: { type: 'Replace', pattern: { Regex: '(a|aa)+$' }, content: '' } }],
    ['decoder', { decoder: { type: 'Replace', pattern: { Regex: '(a|aa)+$' }, content: '' } }],
    [
      'sequence',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [{ type: 'Digits' }, split('(a|aa)+$')].map((each) =>
            'pre_tokenizer' in each ? each.pre_tokenizer : each,
          ),
        },
      },
    ],
    [
      'normalizer that an added token passes',
      {
        normalizer: { type: 'Replace', pattern: { Regex: '(a|aa)+$' }, content: '' },
        added_tokens: [{ id: 2, content: `${'a'.repeat(60)}!`, special: false }],
      },
    ],
  ] as const)('of a %s are judged, before they run', async ([, definition]) => {
    await expectError(tokenizer(definition), 'UNSUPPORTED', /could take for ever/);
  });
});

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

test('what is slow on a long text only is ended', { timeout: 120_000 }, async () => {
  const slow = await tokenizer(split('[^x]*[^x]*y'));
  await expectError(
    Promise.resolve('a'.repeat(20_000)).then((text) => slow.encode(text)),
    'UNSUPPORTED',
    /tokenizer\.json: expected 20000 characters to be encoded within 12 seconds/,
  );
});

describe('JSON', () => {
  test.for(['config.json', 'tokenizer.json', 'tokenizer_config.json'])(
    'of 20,000 levels in %s is refused',
    async (name) => {
      const path = await modelFolder({
        'tokenizer.json': JSON.stringify(BASE),
        [name]: `{"a":${nested(20_000)}}`,
      });
      const reading = openTokenizer(path);
      await expectError(reading, 'CORRUPT_FILE', new RegExp(`${name}: .*at most 100 levels of nesting`));
    },
  );

  test('in the header of safetensors is held to the same', async () => {
    const header = new TextEncoder().encode(`{"a":${nested(20_000)}}`);
    const length = new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer);
    const path = await temporaryFile(Buffer.concat([length, header]));
    await expectError(openSafetensors(path), 'CORRUPT_FILE', /at most 100 levels of nesting/);
  });

  test('may have brackets in strings', async () => {
    const value = `\\"${nested(500)}\\\\`;
    const folder = await openModelFolder(
      await modelFolder({ 'config.json': `{"a":"${value}","b":${nested(99)}}` }),
    );
    expect(folder.config.a).toBe(JSON.parse(`"${value}"`));
    await folder.close();
  });
});

describe('files', () => {
  test.for(['config.json', 'tokenizer.json', 'tokenizer_config.json'])(
    '%s of gigabytes is not read',
    async (name) => {
      const path = await modelFolder({ 'tokenizer.json': JSON.stringify(BASE) });
      const file = await open(join(path, name), 'w');
      await file.truncate(8e9);
      await file.close();
      const reading = openTokenizer(path);
      await expectError(
        reading,
        'CORRUPT_FILE',
        /a file of at most 100000000 bytes, received 8000000000 bytes/,
      );
    },
  );

  test.skipIf(process.platform === 'win32').for(['config.json', 'model.safetensors'])(
    '%s that is a pipe is refused at once',
    async (name) => {
      const path = await temporaryFolder();
      await writeFile(join(path, 'config.json'), '{}');
      await promisify(execFile)('rm', ['-f', join(path, name)]);
      await promisify(execFile)('mkfifo', [join(path, name)]);
      await expectError(
        openModelFolder(path),
        'INVALID_ARGUMENT',
        /expected a file, received a pipe or device/,
      );
    },
  );

  test.skipIf(process.platform !== 'linux')('a folder that cannot be made is refused at once', async () => {
    const writing = createCheckpoint('/proc/x/out', { fingerprint: {}, resume: false });
    await expectError(
      writing,
      'INVALID_ARGUMENT',
      /^\/proc\/x: expected a folder that can be made, received \/proc, in/,
    );
  });

  test('folders above a folder are made', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'a'));
    const writer = await createCheckpoint(join(folder, 'a', 'b', 'c'), { fingerprint: {}, resume: false });
    expect((await stat(writer.folder)).isDirectory()).toBe(true);
  });
});
