/** Every registered family, on the tiny model that the fixtures have of it. */
import { createReferenceBackend } from '@spikellm/backend';
import { TINY_CONFIGS } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { FAMILIES, nodesOf, parseModel, readsOf, type Graph } from '../src/index.ts';
import {
  BLOCK,
  floatTensors,
  largestDifference,
  loadFloat,
  loadSpiking,
  loadTensors,
  logitsOf,
  spikingJson,
  TINY_CONFIG,
  tinyIds,
  weightsOf,
} from './tiny.ts';

const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = TINY_CONFIGS;
const ids = tinyIds(3 * BLOCK + 2);

it('have names and titles of their own', () => {
  for (const field of ['modelType', 'title'] as const)
    expect(new Set(FAMILIES.map((family) => family[field])).size).toBe(FAMILIES.length);
});

it('have a tiny model each', () => {
  for (const { modelType } of FAMILIES) expect(CONFIGS).toHaveProperty(modelType);
});

/** Whether each node reads what is there before it. */
function expectOrdered({ input, nodes, output }: Graph): void {
  const there = new Set([input]);
  for (const node of nodes) {
    for (const edge of readsOf(node)) expect(there).toContain(edge);
    there.add(node.output);
  }
  expect(there).toContain(output);
}

describe.each(FAMILIES)('$title', ({ modelType }) => {
  const config = CONFIGS[modelType];

  it('has graphs that fit together', () => {
    const { embed, layers, head, rotary, config: sizes } = parseModel(config);
    expect([sizes.family, layers.length]).toEqual([modelType, config.num_hidden_layers]);
    for (const graph of [embed, ...layers, head]) {
      expectOrdered(graph);
      const names = graph.nodes.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
    expect(embed.output.width).toBe(sizes.hiddenSize);
    for (const { input, output } of layers)
      expect([input.width, output.width]).toEqual([sizes.hiddenSize, sizes.hiddenSize]);
    expect([head.input.width, head.output.width]).toEqual([sizes.hiddenSize, sizes.vocabularySize]);
    for (const layer of layers)
      for (const { table } of nodesOf(layer, 'rotary')) expect(rotary).toHaveProperty(table);
  });

  it('has a weight of each name once, under the prefix of its layer', () => {
    const model = parseModel(config);
    const names = weightsOf(model).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect([...floatTensors(config).keys()]).toEqual(names);
    const layers = model.layers[0].prefix.replace(/0\.$/, '');
    expect(layers).toMatch(/^model\.(.*\.)?layers\.$/);
    expect(model.layers.map(({ prefix }) => prefix)).toEqual(
      model.layers.map((_, index) => `${layers}${index}.`),
    );
  });

  it.each(['float', ...(['token', 'block'] as const)] as const)(
    'gives finite logits, the same at once, in parts and token by token: %s',
    async (how) => {
      using backend = createReferenceBackend();
      using decoder = await (how === 'float'
        ? loadFloat(backend, config)
        : loadSpiking(backend, how, config));
      const whole = await logitsOf(decoder, ids);
      expect(whole).toHaveLength(ids.length);
      expect(whole.every((row) => row.every(Number.isFinite))).toBe(true);
      expect(largestDifference(whole.slice(1), whole.slice(0, -1))).toBeGreaterThan(1e-3);
      const singly = await logitsOf(decoder, ...ids.map((id) => [id]));
      expect(largestDifference(singly, whole)).toBeLessThanOrEqual(1e-4);
      const parts = await logitsOf(decoder, ids.slice(0, 5), ids.slice(5));
      expect(largestDifference(parts, whole)).toBeLessThanOrEqual(1e-4);
    },
  );

  it('needs every weight: each moves the logits', async () => {
    using backend = createReferenceBackend();
    using decoder = await loadFloat(backend, config);
    const want = await logitsOf(decoder, ids);
    const model = parseModel(config);
    const isRotated = model.layers.some((layer) => nodesOf(layer, 'rotary').length > 0);
    for (const { name } of weightsOf(model)) {
      // What is the same in all keys moves all scores alike, where no position rotates it.
      if (!isRotated && name.endsWith('k_proj.bias')) continue;
      const tensors = floatTensors(config);
      const { data } = tensors.get(name)!;
      (data as Float32Array).forEach((value, i, all) => (all[i] = -value));
      using other = await loadTensors(backend, config, tensors);
      expect(largestDifference(await logitsOf(other, ids), want), name).toBeGreaterThan(1e-3);
    }
  });

  it('may be rotated as it runs', async () => {
    using backend = createReferenceBackend();
    const rotated = { ...config, down_rotation: 'hadamard' };
    expect(nodesOf(parseModel(rotated).layers[0], 'hadamard')).toHaveLength(1);
    using decoder = await loadFloat(backend, rotated);
    expect((await logitsOf(decoder, ids)).every((row) => row.every(Number.isFinite))).toBe(true);
  });
});

describe('llama', () => {
  it('has one graph for all layers', () => {
    const { layers } = parseModel({ ...TINY_CONFIG, num_hidden_layers: 3 });
    expect(new Set(layers.map(({ nodes }) => nodes)).size).toBe(1);
    expect(layers.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it('attends over all that came before, in heads that share keys', () => {
    const [layer] = parseModel({ ...TINY_CONFIG, head_dim: 6 }).layers;
    const [attention] = nodesOf(layer, 'attention');
    expect(attention).toMatchObject({ heads: 4, kvHeads: 2, headSize: 6, window: 0, softcap: 0 });
    expect(attention.scale).toBe(1 / Math.sqrt(6));
    expect(attention.output.width).toBe(24);
  });

  it('has a head of its own, or that of the embedding', () => {
    const names = (tie_word_embeddings: boolean): string[] =>
      parseModel({ ...TINY_CONFIG, tie_word_embeddings }).head.nodes.map(({ name }) => name);
    expect(names(true)).toEqual(['model.norm', 'model.embed_tokens']);
    expect(names(false)).toEqual(['model.norm', 'lm_head']);
  });

  it('loads the same whether its config.json says that it spikes in float or not', async () => {
    using backend = createReferenceBackend();
    const spiking = spikingJson('float');
    const quantization_config = {
      ...spiking,
      weights: { kind: 'float' },
      activations: { ...spiking.activations, bits: 16 },
    };
    using one = await loadFloat(backend, { ...TINY_CONFIG, quantization_config });
    using other = await loadFloat(backend, TINY_CONFIG);
    expect(await logitsOf(one, ids)).toEqual(await logitsOf(other, ids));
  });
});
