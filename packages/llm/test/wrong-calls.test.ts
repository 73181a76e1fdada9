/** Calls from plain JavaScript, each refused by one sentence. */
import { SpikeError } from '@spikellm/backend';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend, openModel, quantize, type Model } from '../src/index.ts';
import { TALES } from './places.ts';

/** As JavaScript has it. */
const any = (value: unknown): any => value;

let model: Model;
beforeAll(async () => {
  model = await openModel(TALES);
  return () => model.close();
});

async function sentenceOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof SpikeError) return error.message;
    throw error;
  }
  return 'no error';
}

const SOURCE =
  'source: expected a model folder, a .gguf file, a hub id like owner/name, a URL, Files or a directory handle';

describe('a wrong call says what is wrong', () => {
  it.each<[string, () => unknown, string]>([
    ['no source', () => openModel(any(undefined)), `${SOURCE}, received nothing.`],
    ['an empty source', () => openModel(''), `${SOURCE}, received the text "".`],
    ['a source of something else', () => openModel(any({})), `${SOURCE}, received an Object.`],
    ['no files', () => openModel([]), `${SOURCE}, received an Array.`],
    [
      'a misspelt option',
      () => openModel(TALES, any({ bakend: 'cpu' })),
      'openModel: expected options among backend, context, files, signal, onProgress, received bakend; the nearest is backend.',
    ],
    [
      'an option like none',
      () => openModel(TALES, any({ quantisation: 4 })),
      'openModel: expected options among backend, context, files, signal, onProgress, received quantisation.',
    ],
    [
      'options of a text',
      () => openModel(TALES, any('cpu')),
      'openModel: expected options as an object, received the text "cpu".',
    ],
    [
      'a backend of no name',
      () => openModel(TALES, any({ backend: 'gpu' })),
      'backend: expected auto, cpu, wasm, reference, webgpu or a Backend, received the text "gpu".',
    ],
    [
      'a backend that is none',
      () => openModel(TALES, any({ backend: {} })),
      'backend: expected auto, cpu, wasm, reference, webgpu or a Backend, received an Object.',
    ],
    [
      'a backend by number',
      () => openBackend(any(1)),
      'backend: expected auto, cpu, wasm, reference, webgpu or a Backend, received 1.',
    ],
    ['no text to encode', () => model.encode(any(undefined)), 'encode: expected a text, received nothing.'],
    [
      'a text for ids',
      () => model.logits(any('Once')),
      'logits: expected token ids, an array of numbers as encode gives it, received the text "Once".',
    ],
    [
      'texts for ids',
      () => model.decode(any(['1'])),
      'decode: expected token ids, an array of numbers as encode gives it, received an Array.',
    ],
    [
      'an id of another model',
      () => model.logits([1e6]),
      'forward: expected token ids from 0 to 2047, received 1000000; check that the tokenizer belongs to this model.',
    ],
    [
      'a misspelt option of generate',
      () => model.generate('a', any({ maxToken: 1 })),
      'generate: expected options among maxTokens, temperature, topK, topP, seed, endTokens, signal, stop, received maxToken; the nearest is maxTokens.',
    ],
    [
      'a stop that is a text',
      () => model.generate('a', any({ stop: '.' })),
      'stop: expected an array of texts, received the text ".".',
    ],
    [
      'no tokens',
      () => model.generate('a', { maxTokens: 0 }),
      'max-tokens: expected a whole number above 0, received 0.',
    ],
    [
      'a window above the context',
      () => model.perplexity('a', { window: 257 }),
      'window: expected a whole number from 2 to 256 tokens, the context of the model, received 257.',
    ],
    ['no output', () => quantize(TALES, any(undefined)), 'out: expected a text, received nothing.'],
    [
      'settings of nothing',
      () => quantize(TALES, 'out', any(null)),
      'settings: expected options as an object, received null.',
    ],
    [
      'a setting beside the options',
      () => quantize(TALES, 'out', any({ damping: 0.1 })),
      "settings: expected damping, a setting of the gptq pipeline, in options, received damping beside them; write { pipeline: 'gptq', options: { damping } }.",
    ],
    [
      'a setting outside its domain',
      () => quantize(TALES, 'out', { steps: 3 }),
      'steps: expected 1, 2 or 4, received 3.',
    ],
  ])('%s', async (_, call, sentence) => {
    expect(await sentenceOf(call)).toBe(sentence);
  });

  it('a text that goes on when its model is closed', async () => {
    const closing = await openModel(TALES);
    const [ids, never] = [closing.generateIds('The king'), closing.generate('The king')];
    await ids.next();
    await closing.close();
    const rest = (name: string): string =>
      `${name}: expected an open model, received ${TALES}, which is closed.`;
    expect(await sentenceOf(() => ids.next())).toBe(rest('generateIds'));
    expect(await sentenceOf(() => never.next())).toBe(rest('generate'));
  });

  it('every call on a closed model', async () => {
    const closed = await openModel(TALES);
    await closed.close();
    await closed.close();
    const calls: Record<string, () => unknown> = {
      encode: () => closed.encode('a'),
      decode: () => closed.decode([1]),
      generate: () => closed.generate('a'),
      generateIds: () => closed.generateIds('a'),
      logits: () => closed.logits([1]),
      perplexity: () => closed.perplexity('a'),
    };
    for (const [name, call] of Object.entries(calls))
      expect(await sentenceOf(call)).toBe(
        `${name}: expected an open model, received ${TALES}, which is closed.`,
      );
  });
});
