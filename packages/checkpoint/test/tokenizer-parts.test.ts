/**
 * Every part of tokenizer.json that is implemented, against ids and texts of the Rust library; tooling/tokenizers/golden.py
 * made them, and differential.mjs beside it compares whole tokenizers over thousands of texts.
 */
import { readGolden } from '@spikellm/golden';
import { describe, expect, test } from 'vitest';
import { createEngine } from '../src/tokenizer/engine.ts';
import { expectError } from './fixtures.ts';

const { models, texts, variants } = readGolden('tokenizers');

test.for(variants)('$name', ({ model, changes, definition, ids, texts: decoded }) => {
  const engine = createEngine('tokenizer.json', { ...definition, model: { ...models[model], ...changes } });
  const special = new Set(engine.added.filter((token) => token.special).map(({ id }) => id));
  texts.forEach((text, i) => {
    const found = engine.encode(text);
    const visible = found.filter((id) => !special.has(id)).map((id) => engine.tokenOf(id)!);
    expect({ text, ids: found, decoded: engine.decode(visible) }).toEqual({
      text,
      ids: ids[i],
      decoded: decoded[i],
    });
  });
});

describe('what is not implemented is refused by its name', () => {
  const base = { ...variants[0].definition, model: models.BPE };
  const refused: [string, object, RegExp][] = [
    ['a pre-tokenizer', { pre_tokenizer: { type: 'UnicodeScripts' } }, /pre_tokenizer.*"UnicodeScripts"/],
    [
      'a normalizer in a sequence',
      { normalizer: { type: 'Sequence', normalizers: [{ type: 'Nmt' }] } },
      /normalizer Sequence.*"Nmt"/,
    ],
    ['a decoder', { decoder: { type: 'CTC' } }, /decoder.*"CTC"/],
    ['a post-processor', { post_processor: { type: 'Other' } }, /post_processor.*"Other"/],
    ['a model', { model: { type: 'WordPiece', vocab: {} } }, /model.*"WordPiece"/],
    ['a field', { model: { ...models.BPE, future: 1 } }, /model BPE: expected future/],
    [
      'a behaviour',
      { pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Other' } },
      /Split.*behavior.*"Other"/,
    ],
    ['merges that are left out by chance', { model: { ...models.BPE, dropout: 0.1 } }, /model BPE.*dropout/],
    ['a part', { future: {} }, /tokenizer: expected future/],
    [
      'a regular expression',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '\\p{NoSuch}' }, behavior: 'Isolated' } },
      /Split.*regular expression/,
    ],
  ];
  test.for(refused)('%s', async ([, change, message]) => {
    await expectError(
      (async () => createEngine('tokenizer.json', { ...base, ...change }))(),
      'UNSUPPORTED',
      message,
    );
  });
});
