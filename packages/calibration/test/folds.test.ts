/** Scales folded into the weights of a float model leave its logits where they were. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { model as demoModel } from '@spikellm/demo-model';
import { memorySource, tokenIds } from '@spikellm/fixtures';
import { sharedDirectory } from '@spikellm/golden';
import {
  buildGraph,
  createRandom,
  nodesOf,
  parseModel,
  readLayer,
  type Graph,
  type GraphBuilder,
  type Edge,
  type TensorSource,
} from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { encodeLayer } from '../src/encode.ts';
import { applyScales, planFolds, type EquivalentScales, type Fold } from '../src/index.ts';
import { difference, logitsOf, TINY_CONFIG, tinyFamilies, tinyTensors } from './tiny-model.ts';

const KINDS = ['norm', 'value', 'key', 'gate'] as const;

const shared = sharedDirectory();
const backend = createReferenceBackend();

/** Scales from 1/4 to 4, equal where they are tied. */
function randomScales(folds: readonly Fold[], seed: number): EquivalentScales {
  const random = createRandom(seed);
  return Object.fromEntries(
    folds.map(({ name, channels, tied }) => {
      const drawn = Float64Array.from({ length: channels }, () => 4 ** (random.real() * 2 - 1));
      return [name, tied ? drawn.map((_, i) => drawn[tied.at(i)]) : drawn];
    }),
  );
}

/** The float model with other scales in every layer, and the names of the tensors that this changes. */
async function scaled(
  source: TensorSource,
  config: Readonly<Record<string, unknown>>,
  kinds: readonly Fold['kind'][],
) {
  const changed = new Map<string, Awaited<ReturnType<TensorSource['read']>>>();
  for (const layer of parseModel(config).layers) {
    const weights = await readLayer(source, layer);
    const folds = planFolds(layer).filter(({ kind }) => kinds.includes(kind));
    const folded = applyScales(weights, folds, randomScales(folds, layer.index));
    const before = new Map(encodeLayer(layer, weights));
    for (const [name, tensor] of encodeLayer(layer, folded)) {
      if (tensor.data !== before.get(name)!.data)
        changed.set(name, { type: 'float32', dims: tensor.dims, data: tensor.data });
    }
  }
  const tensors: TensorSource = {
    names: () => source.names(),
    info: (name) => source.info(name),
    read: async (name, options) => changed.get(name) ?? source.read(name, options),
  };
  return { tensors, changed: [...changed.keys()] };
}

const folders = {
  'stories260k (8 heads on 4)': shared && join(shared, 'models', 'stories260k'),
  'the demo model': dirname(fileURLToPath(demoModel.config)),
};

describe('equivalent scales', () => {
  it.for(Object.entries(folders))('%s: the logits stay within 1e-4', async ([, folder], { skip }) => {
    skip(folder === undefined, 'the folder of shared models is not there');
    await using model = await openModelFolder(folder!);
    const { vocabularySize: vocabulary } = parseModel(model.config).config;
    const ids = tokenIds(24, { vocabulary });
    const before = await logitsOf(backend, model.config, model.tensors, ids);
    const { tensors } = await scaled(model.tensors, model.config, KINDS);
    const after = await logitsOf(backend, model.config, tensors, ids);
    expect(difference(after, before)).toBeGreaterThan(0);
    expect(difference(after, before)).toBeLessThan(1e-4);
  });

  describe.each(tinyFamilies)('of a tiny %s', (_, config) => {
    const source = memorySource(tinyTensors(config));
    const ids = tokenIds(20);
    it.each([...KINDS, 'all'] as const)('%s: the logits stay within 1e-4', async (which) => {
      const kinds = which === 'all' ? KINDS : [which];
      const { tensors, changed } = await scaled(source, config, kinds);
      const folds = parseModel(config).layers.flatMap(planFolds);
      expect(changed.length > 0).toBe(folds.some(({ kind }) => kinds.includes(kind)));
      const before = await logitsOf(backend, config, source, ids);
      const after = await logitsOf(backend, config, tensors, ids);
      expect(difference(after, before)).toBeLessThan(1e-4);
    });
  });

  it('key scales that differ within a rotary pair are refused, since RoPE mixes the pair', async () => {
    const [layer] = parseModel(TINY_CONFIG).layers;
    const folds = planFolds(layer);
    const key = Float64Array.from(randomScales(folds, 0).key!);
    key[1] *= 2;
    const weights = await readLayer(memorySource(tinyTensors()), layer);
    expect(() => applyScales(weights, folds, { key })).toThrow(
      /^key scales: expected one scale for the rotary pair of channels 1 and 3, received/,
    );
  });
});

describe('folds', () => {
  it('of a LLaMA are between its norms, v and o, q and k, up and down', () => {
    const [layer] = parseModel(TINY_CONFIG).layers;
    const parts = planFolds(layer).map(({ name, kind, channels, parts: all }) => [
      `${kind} ${name} [${channels}]`,
      ...all.map(({ node, side, power }) => `${node} ${side} ${power}`),
    ]);
    expect(parts).toEqual([
      [
        'norm qkv [16]',
        'input_layernorm norm -1',
        ...['q', 'k', 'v'].map((name) => `self_attn.${name}_proj columns 1`),
      ],
      [
        'norm gate_up [16]',
        'post_attention_layernorm norm -1',
        ...['gate', 'up'].map((name) => `mlp.${name}_proj columns 1`),
      ],
      ['value value [8]', 'self_attn.v_proj rows -1', 'self_attn.o_proj columns 1'],
      ['key key [8]', 'self_attn.q_proj rows -1', 'self_attn.k_proj rows 1'],
      ['gate down [24]', 'mlp.up_proj rows -1', 'mlp.down_proj columns 1'],
    ]);
  });

  const x: Edge = { name: 'x', width: 8 };
  const heads = { heads: 2, kvHeads: 2 };
  const kindsOf = (body: (g: GraphBuilder) => Edge): string[] =>
    planFolds(buildGraph(x, body)).map(({ kind }) => kind);

  it('are not where another node reads what is scaled', () => {
    expect(
      kindsOf((g) => {
        const a = g.rmsNorm('norm', x, { eps: 1 });
        return g.add(a, g.linear('one', a, 8));
      }),
    ).toEqual([]);
    expect(
      kindsOf((g) => {
        const up = g.linear('up', x, 8);
        return g.add(up, g.linear('down', g.gated('silu', g.linear('gate', x, 8), up), 8));
      }),
    ).toEqual([]);
    // The same linear for keys and values: neither of them can change by itself.
    expect(
      kindsOf((g) => {
        const both = g.linear('kv', x, 8);
        return g.linear('o', g.attention('attn', g.linear('q', x, 8), both, both, heads), 8);
      }),
    ).toEqual([]);
    // A key that is rotated, and a value that is not.
    expect(
      kindsOf((g) => {
        const both = g.linear('kv', x, 8);
        const [q, k] = [g.linear('q', x, 8), both].map((edge) => g.rotary(edge, 4, 'rope'));
        return g.linear('o', g.attention('attn', q, k, both, heads), 8);
      }),
    ).toEqual([]);
  });

  it('are not where a norm stands in between, of heads or of groups', () => {
    const normed = (g: GraphBuilder, groups: number): Edge => {
      const [q, k, v] = ['q', 'k', 'v'].map((name) => g.linear(name, x, 8));
      const key = g.rmsNorm('k_norm', k, { eps: 1, groups });
      const attended = g.attention('attn', g.rmsNorm('q_norm', q, { eps: 1, groups }), key, v, heads);
      return g.linear('o', g.rmsNorm('o_norm', attended, { eps: 1, groups }), 8);
    };
    // Of all channels at once, the norm has a weight for each of them.
    expect(kindsOf((g) => normed(g, 1))).toEqual(['norm']);
    expect(kindsOf((g) => normed(g, 2))).toEqual([]);
  });

  it('go through a LayerNorm with a bias, and a weight that is stored without its 1', async () => {
    const prefix = 'model.layers.0.';
    const graph: Graph = buildGraph(x, (g) =>
      g.linear(
        'two',
        g.rmsNorm('rms', g.linear('one', g.layerNorm('layer', x, { eps: 1, bias: true }), 8), {
          eps: 1,
          offset: 1,
        }),
        8,
      ),
    );
    const layer = { ...graph, index: 0, prefix };
    const tensor = (name: string, dims: number[]) => {
      const random = createRandom(name.length);
      const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.real() - 0.5);
      return [`${prefix}${name}`, { type: 'float32', dims, data }] as const;
    };
    const tensors = new Map([
      ...['layer.weight', 'layer.bias', 'rms.weight'].map((name) => tensor(name, [8])),
      ...['one.weight', 'two.weight'].map((name) => tensor(name, [8, 8])),
    ]);
    const weights = await readLayer(memorySource(tensors), layer);
    const scale = Float64Array.of(1, 2, 3, 4, 0.5, 0.25, 5, 1);
    const folds = planFolds(graph);
    const { norms, linears } = applyScales(weights, folds, { one: scale, two: scale });
    const data = (name: string): Float32Array => tensors.get(`${prefix}${name}`)!.data;
    const { weight, bias } = norms.get('layer')!;
    scale.forEach((s, i) => {
      expect((weight.data as Float32Array)[i]).toBeCloseTo(data('layer.weight')[i] / s, 6);
      expect((bias!.data as Float32Array)[i]).toBeCloseTo(data('layer.bias')[i] / s, 6);
      const stored = (norms.get('rms')!.weight.data as Float32Array)[i];
      expect(1 + stored).toBeCloseTo((1 + data('rms.weight')[i]) / s, 6);
    });
    for (const { name } of nodesOf(graph, 'linear')) {
      const dense = linears.get(name)!.weight.dense!.data as Float32Array;
      dense.forEach((w, i) => expect(w).toBeCloseTo(data(`${name}.weight`)[i] * scale[i % 8], 5));
    }
  });
});
