import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { createReferenceBackend } from '@spikellm/backend';
import { readGolden } from '@spikellm/golden';
import { expect, it } from 'vitest';
import { openModel } from '../src/index.ts';
import { scratch, TALES, whole } from './places.ts';

const [{ prompt, ids, greedy_ids: greedyIds, greedy_text: greedyText }] = readGolden('tales').prompts;
const TEXT = 'The king said to his wife that the bear was in the wood. '.repeat(8);

it('continues a text as the model does elsewhere, from text and from ids', async () => {
  await using model = await openModel(TALES);
  expect(model.encode(prompt)).toEqual(ids);
  expect(model.decode(greedyIds)).toBe(greedyText);
  const text = await whole(model.generate(prompt, { maxTokens: 20 }));
  expect(greedyText.startsWith(prompt + text)).toBe(true);
  expect(await whole(model.generate(ids, { maxTokens: 20 }))).toBe(text);
  const drawn: number[] = [];
  for await (const id of model.generateIds(prompt, { maxTokens: 5 })) drawn.push(id);
  expect(drawn).toEqual(greedyIds.slice(ids.length, ids.length + 5));
  expect(await whole(model.generate(prompt, { maxTokens: 20, stop: ['years'] }))).not.toContain('years');
});

it('gives logits of the whole prompt, whose last row is the next token', async () => {
  await using model = await openModel(TALES);
  const { type, dims, data } = await model.logits(ids);
  const { vocabularySize } = model.config;
  expect({ type, dims }).toEqual({ type: 'float32', dims: [ids.length, vocabularySize] });
  const last = (data as Float32Array).subarray(-vocabularySize);
  expect(last.indexOf(Math.max(...last))).toBe(greedyIds[ids.length]);
  expect(model.backend.liveBytes).toBeGreaterThan(0);
});

it('measures a text, in windows of the context where nothing is said', async () => {
  await using model = await openModel(TALES);
  const longText = TEXT.repeat(8);
  expect(await model.perplexity(longText, { maxWindows: 1 })).toMatchObject({ windows: 1, window: 256 });
  const fromIds = await model.perplexity(model.encode(TEXT), { window: 32, skipWindows: 1 });
  expect(fromIds).toEqual(await model.perplexity(TEXT, { window: 32, skipWindows: 1 }));
  expect(fromIds.protocol).toContain('windows do not overlap');
});

it('says what computes, and leaves a backend that was given alive', async () => {
  using backend = createReferenceBackend();
  {
    await using model = await openModel(TALES, { backend });
    expect(model.backend).toBe(backend);
    expect(backend.liveBytes).toBeGreaterThan(0);
  }
  expect(backend.liveBytes).toBe(0);
  backend.allocate('float32', [1]);
  await using named = await openModel(TALES, { backend: 'wasm' });
  expect(named.backend.name).toBe('wasm');
  expect(named.backend.report.device).toContain('WebAssembly');
});

it('keeps texts within the context that was declared', async () => {
  await using model = await openModel(TALES, { context: 16 });
  expect([model.context, model.config.contextLength]).toEqual([16, 256]);
  const drawn: number[] = [];
  for await (const id of model.generateIds(ids)) drawn.push(id);
  expect(ids.length + drawn.length).toBe(16);
  expect(() => model.generate(greedyIds)).toThrow('prompt: expected 1 to 15 tokens');
  await expect(model.logits(greedyIds)).rejects.toThrow('logits: expected 1 to 16 token ids');
  await expect(openModel(TALES, { context: 257 })).rejects.toThrow(
    'context: expected a whole number from 2 to 256, the context of the model, received 257.',
  );
});

it('opens a folder without a tokenizer: ids in, ids and logits out, and text is refused by one sentence', async () => {
  using folder = scratch();
  const bare = folder.at('bare');
  mkdirSync(bare);
  for (const file of ['config.json', 'model.safetensors']) copyFileSync(`${TALES}${file}`, `${bare}/${file}`);
  await using model = await openModel(bare);
  expect((await model.logits(ids)).dims[0]).toBe(ids.length);
  expect((await model.perplexity(greedyIds.slice(0, 32), { window: 16 })).windows).toBe(2);
  const drawn: number[] = [];
  for await (const id of model.generateIds(ids, { maxTokens: 3 })) drawn.push(id);
  expect(drawn).toEqual(greedyIds.slice(ids.length, ids.length + 3));
  const refused =
    /^\w+: expected a model with a tokenizer, received .*bare without one \(.*tokenizer\.json.*\); give and take token ids\.$/;
  expect(() => model.encode('a')).toThrow(refused);
  expect(() => model.decode(ids)).toThrow(refused);
  expect(() => model.generate(ids)).toThrow(refused);
  await expect(model.perplexity('a')).rejects.toThrow(refused);
});

it('stops when it is told to, also before anything is loaded', async () => {
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(openModel(TALES, { signal: stop })).rejects.toThrow('enough');
  await using model = await openModel(TALES);
  await expect(model.logits(ids, { signal: stop })).rejects.toThrow('enough');
  await expect(model.perplexity(TEXT, { window: 32, signal: stop })).rejects.toThrow('enough');
  await expect(model.generate(prompt, { signal: stop }).next()).rejects.toThrow('enough');
});

it('a program that forgets to close ends, and Node has nothing to warn of', async () => {
  const program = `
    import { openModel } from '@spikellm/llm';
    const model = await openModel(${JSON.stringify(TALES)});
    let text = '';
    for await (const piece of model.generate('The fox', { maxTokens: 3 })) text += piece;
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 100));
    globalThis.gc();
    console.log(text.length > 0);`;
  const run = promisify(execFile);
  const args = ['--expose-gc', '--trace-warnings', '--input-type=module', '--eval', program];
  const { stdout, stderr } = await run(process.execPath, args, { cwd: import.meta.dirname });
  expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
});
