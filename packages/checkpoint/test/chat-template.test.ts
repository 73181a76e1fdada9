import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { expect, test } from 'vitest';
import { createChatTemplate, templateOf } from '../src/chat-template.ts';
import { openGguf, type TextTokenizer } from '../src/index.ts';
import { withEndTokens } from '../src/generation.ts';
import { expectError } from './fixtures.ts';

const tokenizer = {
  encode: (text: string) => Array.from(text, (each) => each.charCodeAt(0)),
} as unknown as TextTokenizer;
const create = (template: string | undefined) =>
  createChatTemplate(
    { path: 'model', template, config: { bos_token: { content: '<s>' }, eos_token: '</s>' } },
    tokenizer,
  );

test('the chat of a real model is written as transformers writes it', async ({ skip }) => {
  const shared = sharedDirectory() ?? '';
  const path = join(shared, 'models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');
  const golden = join(process.env.SPIKELLM_GOLDEN_DIR ?? join(shared, 'golden'), 'smollm2.json');
  skip(!existsSync(path) || !existsSync(golden), 'the model or its golden file is not there');
  const { chat, tokens } = JSON.parse(readFileSync(golden, 'utf8'));
  await using model = await openGguf(path);
  const template = await model.chatTemplate();
  expect(template.text(chat.messages)).toBe(chat.text);
  const real = await model.tokenizer();
  expect(template.ids(chat.messages)).toEqual(real.encode(chat.text, { special: false }));
  for (const { text, ids, ids_without_special: bare } of tokens) {
    expect(real.encode(text)).toEqual(ids);
    expect(real.encode(text, { special: false })).toEqual(bare);
  }
});

test('messages, special tokens and the beginning of a reply reach the template', async () => {
  const template = await create(
    '{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}>{% endif %}',
  );
  const messages = [{ role: 'user', content: 'hi' }];
  expect(template.text(messages)).toBe('<s>[user]hi>');
  expect(template.text(messages, { reply: false })).toBe('<s>[user]hi');
  expect(template.ids(messages)).toHaveLength(12);
});

test('what goes wrong is told with the model', async () => {
  await expectError(create(undefined), 'MISSING', /expected a chat template.*use generate/);
  await expectError(create('{% if %}'), 'UNSUPPORTED', /model: chat template/);
  const strict = await create("{{ raise_exception('no system messages') }}");
  await expectError((async () => strict.text([]))(), 'INVALID_ARGUMENT', /no system messages/);
});

test('of templates with names the default one is taken', () => {
  const named = (name: string) => ({ name, template: name });
  expect(templateOf([named('tool_use'), named('default')])).toBe('default');
  expect(templateOf([named('rag')])).toBe('rag');
  expect(templateOf('plain')).toBe('plain');
  expect(templateOf(undefined)).toBeUndefined();
});

test('texts end at the tokens of both configs', () => {
  expect(withEndTokens({ eos_token_id: 2 }, { eos_token_id: [2, 7] })).toEqual({ eos_token_id: [2, 7] });
  expect(withEndTokens({}, { eos_token_id: 3 })).toEqual({ eos_token_id: 3 });
  expect(withEndTokens({ eos_token_id: [1, 2] }, {})).toEqual({ eos_token_id: [1, 2] });
});
