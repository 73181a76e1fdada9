/** Rotations leave what the float model computes alone, with every shape of a LLaMA. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { sharedDirectory } from '@spikellm/golden';
import { loadDecoder, parseDecoderConfig, type TensorSource } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, PIPELINES, quantize, rotateModel } from '../src/index.ts';
import { TINY_CONFIG, tinyTensors, tinyWindows, writeTinyModel } from './tiny-model.ts';

const backend = createReferenceBackend();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikellm-rotation-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  backend.dispose();
});

async function logitsOf(
  config: Record<string, unknown>,
  tensors: TensorSource,
  ids: readonly number[],
): Promise<Float32Array> {
  using decoder = await loadDecoder({ config, tensors, backend });
  using cache = decoder.createCache(ids.length);
  using logits = decoder.forward(ids, cache, { logits: 'all' });
  return (await backend.read(logits)).data as Float32Array;
}

async function expectSameLogits(path: string, ids: readonly number[]): Promise<void> {
  await using model = await openModelFolder(path);
  const want = await logitsOf(model.config, model.tensors, ids);
  const { tensors, config } = rotateModel(backend, parseDecoderConfig(model.config), model.tensors, 3);
  expect(config).toMatchObject({ tiedEmbeddings: false, downRotation: 'hadamard' });
  const rotated = { ...model.config, tie_word_embeddings: false, down_rotation: 'hadamard' };
  const got = await logitsOf(rotated, tensors, ids);
  const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  want.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(1e-4 * largest));
  // The weights themselves are other ones.
  const name = 'model.layers.0.mlp.down_proj.weight';
  const [before, after] = [await model.tensors.read(name), await tensors.read(name)];
  expect(after.data).not.toEqual(before.data);
}

describe('a rotated float model has the same logits', () => {
  it.each([
    ['tied, grouped queries, 24 channels in the MLP', {}],
    ['an untied head', { tie_word_embeddings: false }],
    [
      'hidden size 12, heads of 6, 44 channels',
      { hidden_size: 12, num_attention_heads: 2, intermediate_size: 44 },
    ],
    ['biases', { attention_bias: true, mlp_bias: true }],
    ['odd sizes', { hidden_size: 18, num_attention_heads: 3, num_key_value_heads: 1, intermediate_size: 21 }],
  ])('%s', async (name, changes) => {
    const config = { ...TINY_CONFIG, ...changes };
    const path = await writeTinyModel(join(folder, name), { config, tensors: tinyTensors(config) });
    await expectSameLogits(path, tinyWindows(1, 20)[0]);
  });

  it.skipIf(sharedDirectory() === undefined).each(['stories260k', 'tales'])('%s', async (name) => {
    await expectSameLogits(join(sharedDirectory()!, 'models', name), [1, 5, 9, 100, 7, 200, 3]);
  });
});

describe('rotation in a pipeline', () => {
  const windows = tinyWindows(3, 40);
  const training = { ...DEFAULT_SETTINGS.training, epochs: 1 };

  it.each(
    PIPELINES.flatMap((pipeline) =>
      (['published', 'fisher'] as const).map((saliency) => ({ pipeline, saliency })),
    ),
  )('is close to the float model at 8 bits: %o', async ({ pipeline, saliency }) => {
    const source = await writeTinyModel(join(folder, `${pipeline} ${saliency}`));
    const out = join(folder, `${pipeline} ${saliency} out`);
    await using model = await openModelFolder(source);
    const changes = {
      pipeline,
      saliency,
      weightBits: 8,
      activationBits: 8,
      rotate: 'hadamard',
      training,
    } as const;
    await quantize({ model, out, backend, windows, settings: { ...DEFAULT_SETTINGS, ...changes } });
    await using written = await openModelFolder(out);
    expect(written.config).toMatchObject({
      tie_word_embeddings: false,
      down_rotation: 'hadamard',
      quantization_config: { format_version: 2, pipeline },
    });
    const values = [];
    for (const { config, tensors } of [model, written]) {
      using decoder = await loadDecoder({ config, tensors, backend });
      values.push((await perplexity(decoder, windows.flat(), { window: 40 })).perplexity);
    }
    expect(Math.abs(values[1] / values[0] - 1)).toBeLessThan(0.03);
  });
});
