/** Rotations leave what a float model computes alone, with every shape, and are refused where they cannot. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { memorySource, tokenIds } from '@spikellm/fixtures';
import { sharedDirectory } from '@spikellm/golden';
import {
  buildGraph,
  loadDecoder,
  parseModel,
  type Edge,
  type Graph,
  type GraphBuilder,
  type ModelGraph,
  type TensorSource,
} from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, PIPELINES, planRotation, quantize, rotateModel } from '../src/index.ts';
import {
  difference,
  logitsOf,
  TINY_CONFIG,
  tinyFamilies,
  tinyTensors,
  tinyWindows,
  writeTinyModel,
} from './tiny-model.ts';

const backend = createReferenceBackend();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikellm-rotation-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  backend.dispose();
});

const ids = tokenIds(20);

const rotated = (config: Readonly<Record<string, unknown>>) =>
  rotateModel(backend, parseModel(config), memorySource(tinyTensors(config)), 3);
/** The families that rotations apply to. */
const rotating = tinyFamilies.filter(([, config]) => {
  try {
    return Boolean(rotated(config));
  } catch {
    return false;
  }
});

async function expectSameLogits(
  config: Readonly<Record<string, unknown>>,
  source: TensorSource,
  of: readonly number[] = ids,
): Promise<void> {
  const { graph, json, tensors } = rotateModel(backend, parseModel(config), source, 3);
  const written = { ...config, ...json };
  expect(json).toEqual({ tie_word_embeddings: false, down_rotation: 'hadamard' });
  expect(graph).toEqual(parseModel(written));
  const want = await logitsOf(backend, config, source, of);
  expect(difference(await logitsOf(backend, written, tensors, of), want)).toBeLessThan(1e-4);
  // The weights themselves are other ones.
  const name = 'model.layers.0.mlp.down_proj.weight';
  expect((await tensors.read(name)).data).not.toEqual((await source.read(name)).data);
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
  ])('%s', async (_, changes) => {
    const config = { ...TINY_CONFIG, ...changes };
    await expectSameLogits(config, memorySource(tinyTensors(config)));
  });

  it.each(rotating)('a tiny %s', async (_, config) => {
    await expectSameLogits(config, memorySource(tinyTensors(config)));
  });

  it.skipIf(sharedDirectory() === undefined).each(['stories260k', 'tales'])('%s', async (name) => {
    await using model = await openModelFolder(join(sharedDirectory()!, 'models', name));
    await expectSameLogits(model.config, model.tensors, [1, 5, 9, 100, 7, 200, 3]);
  });
});

it('applies to most families, and says so of the others', () => {
  expect(rotating.map(([modelType]) => modelType)).toEqual(
    expect.arrayContaining(['llama', 'mistral', 'qwen2', 'qwen3', 'smollm3', 'phi3', 'granite']),
  );
  for (const each of tinyFamilies.filter((family) => !rotating.includes(family)))
    expect(() => rotated(each[1])).toThrow(/^--rotate hadamard: expected a model whose residual stream/);
});

describe('a layer that cannot be rotated', () => {
  const x: Edge = { name: 'x', width: 8 };
  const heads = { heads: 2, kvHeads: 2 };
  const mlp = (g: GraphBuilder, from: Edge): Edge =>
    g.linear('down', g.gated('silu', g.linear('gate', from, 8), g.linear('up', from, 8)), 8);
  const layerOf = (body: (g: GraphBuilder) => Edge): Graph => buildGraph(x, body);
  const rms = { eps: 1e-6 };

  it.each<[string, (g: GraphBuilder) => Edge, string]>([
    [
      'a norm between a linear and the stream',
      (g) => g.add(x, g.rmsNorm('post_norm', mlp(g, g.rmsNorm('norm', x, rms)), rms)),
      'post_norm: it stands between a linear and the residual stream',
    ],
    [
      'a LayerNorm',
      (g) => g.add(x, mlp(g, g.layerNorm('norm', x, rms))),
      'norm: it is no RMSNorm of all channels',
    ],
    [
      'a norm of groups of channels',
      (g) => g.add(x, mlp(g, g.rmsNorm('norm', x, { eps: 1, groups: 2 }))),
      'norm: it is no RMSNorm of all channels',
    ],
    [
      'an activation behind a norm',
      (g) => g.add(x, g.linear('out', g.activation('relu', g.rmsNorm('norm', x, rms)), 8)),
      'norm: norm.relu reads it, which is no linear',
    ],
    [
      'a linear without a norm',
      (g) => g.add(x, g.linear('out', x, 8)),
      'out: it reads the residual stream without a norm',
    ],
    [
      'a norm at the end',
      (g) => g.rmsNorm('last', g.add(x, mlp(g, g.rmsNorm('norm', x, rms))), rms),
      'last: what leaves the layer is not the residual stream',
    ],
    [
      'a result that goes elsewhere too',
      (g) => {
        const y = g.linear('one', g.rmsNorm('norm', x, rms), 8);
        return g.add(g.add(x, y), g.linear('two', y, 8));
      },
      'one: not only the residual stream reads it',
    ],
  ])('says why: %s', (_, body, reason) => {
    expect(() => planRotation(layerOf(body))).toThrow(
      `--rotate hadamard: expected a model whose residual stream can be rotated: RMSNorms before linears, whose results are added to it, received ${reason}; quantise without a rotation.`,
    );
  });

  it('is refused when a model is rotated', () => {
    const plain = parseModel(TINY_CONFIG);
    const layer = buildGraph({ name: 'x', width: 16 }, (g, input) => {
      const a = g.rmsNorm('norm', input, rms);
      const [q, k, v] = ['q', 'k', 'v'].map((name) => g.linear(name, a, 16));
      return g.add(input, g.rmsNorm('post', g.linear('o', g.attention('attn', q, k, v, heads), 16), rms));
    });
    const model: ModelGraph = { ...plain, layers: [{ ...layer, index: 0, prefix: 'model.layers.0.' }] };
    expect(() => rotateModel(backend, model, memorySource(new Map()), 1)).toThrow(
      'received post: it stands between a linear and the residual stream',
    );
    const { head } = plain;
    const ends: ModelGraph = { ...plain, head: { ...head, nodes: head.nodes.slice(1) } };
    expect(() => rotateModel(backend, ends, memorySource(new Map()), 1)).toThrow(
      'received model.embed_tokens: the head is not an RMSNorm and a linear',
    );
  });

  /** The plan of o and of v, with what stands between attention and o. */
  const around = (between: (g: GraphBuilder, y: Edge) => Edge, shared = false) => {
    const plan = planRotation(
      layerOf((g) => {
        const a = g.rmsNorm('norm', x, rms);
        const [q, v] = [g.linear('q', a, 8), g.linear('v', a, 8)];
        const k = shared ? v : g.linear('k', a, 8);
        return g.add(x, g.linear('o', between(g, g.attention('attn', q, k, v, heads)), 8));
      }),
    );
    return [plan.get('o')!.inputs.by, plan.get('v')!.outputs];
  };

  it('keeps its values where they are not read by o alone', () => {
    expect(around((_, y) => y)).toEqual(['heads', 'heads']);
    // Keys must not turn with the values.
    expect(around((_, y) => y, true)).toEqual(['none', 'none']);
    // A norm of its own, whose weight belongs to channels as they are.
    expect(around((g, y) => g.rmsNorm('inner', y, rms))).toEqual(['none', 'none']);
    expect(around((g, y) => g.activation('relu', y))).toEqual(['online', 'none']);
  });
});

describe('rotation in a pipeline', () => {
  const windows = tinyWindows(3, 40);

  it.each(
    PIPELINES.flatMap(({ name: pipeline }) =>
      (['obs', 'fisher'] as const).map((saliency) => ({ pipeline, saliency })),
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
      options: pipeline === 'omniquant' ? { epochs: 1 } : {},
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
