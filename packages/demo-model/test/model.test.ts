import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { model } from '../src/index.ts';

const readJson = (url: URL) => JSON.parse(readFileSync(url, 'utf8'));

test('the configuration is that of a LLaMA', () => {
  expect(readJson(model.config)).toMatchObject({
    model_type: 'llama',
    hidden_size: 256,
    intermediate_size: 640,
    num_hidden_layers: 5,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 2048,
    max_position_embeddings: 256,
    tie_word_embeddings: true,
  });
});

test('the weights are whole: the header accounts for 3,967,744 halves and for every byte', () => {
  const bytes = readFileSync(model.weights);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const { __metadata__, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
  const rows = Object.values<{ dtype: string; shape: number[] }>(tensors);
  const parameters = rows.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const total = parameters.reduce((sum, count) => sum + count, 0);
  expect(new Set(rows.map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
  expect(total).toBe(3_967_744);
  expect(bytes.length).toBe(8 + headerBytes + 2 * total);
});

test('the tokenizer has as many tokens as the model has embeddings, and the same opening token', () => {
  const config = readJson(model.config);
  const { vocab } = readJson(model.tokenizer).model;
  const { bos_token } = readJson(model.tokenizerConfig);
  expect(Object.keys(vocab)).toHaveLength(config.vocab_size);
  expect(vocab[bos_token]).toBe(config.bos_token_id);
});

test('the four files together stay under 8.1 MB', () => {
  const bytes = Object.values(model).map((url) => statSync(url).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(8.1e6);
});
