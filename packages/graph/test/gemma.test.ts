import { createReferenceBackend } from '@spikellm/backend';
import { TINY_CONFIGS } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { nodesOf, parseModel } from '../src/index.ts';
import { floatTensors, loadTensors, logitsOf, tinyIds } from './tiny.ts';

const { gemma2, gemma3, gemma3_text: text } = TINY_CONFIGS;

/** The factor of the embeddings of a hidden size, as weights of a type have it. */
const factorOf = (hidden_size: number, dtype?: string): number | undefined => {
  const { embed } = parseModel({ ...gemma2, hidden_size, ...(dtype !== undefined && { dtype }) });
  return nodesOf(embed, 'scale')[0]?.factor;
};

it('multiplies embeddings by the root of their size, in the precision of the weights', () => {
  expect(factorOf(640)).toBe(Math.fround(Math.sqrt(640)));
  expect(factorOf(640, 'float32')).toBe(Math.fround(Math.sqrt(640)));
  expect(factorOf(640, 'bfloat16')).toBe(25.25);
  expect(factorOf(2304, 'bfloat16')).toBe(48);
  expect(factorOf(3584, 'float16')).toBe(59.875);
});

it('has norms of weight 1 + w around attention and MLP', () => {
  const [layer] = parseModel(gemma2).layers;
  const norms = nodesOf(layer, 'norm');
  expect(norms.map(({ name, offset }) => [name, offset])).toEqual(
    ['input', 'post_attention', 'pre_feedforward', 'post_feedforward'].map((name) => [
      `${name}_layernorm`,
      1,
    ]),
  );
});

describe('Gemma 2', () => {
  it('caps scores and logits, and has a window in every other layer', () => {
    const { layers, head } = parseModel({ ...gemma2, num_hidden_layers: 4 });
    const attention = layers.flatMap((layer) => nodesOf(layer, 'attention'));
    expect(attention.map(({ window, softcap }) => [window, softcap])).toEqual([
      [5, 50],
      [0, 50],
      [5, 50],
      [0, 50],
    ]);
    expect(attention[0].scale).toBeCloseTo(1 / Math.sqrt(5), 12);
    expect(nodesOf(head, 'softcap').map(({ cap }) => cap)).toEqual([30]);
    const uncapped = { ...gemma2, attn_logit_softcapping: null, final_logit_softcapping: null };
    expect(nodesOf(parseModel(uncapped).layers[0], 'attention')[0].softcap).toBe(0);
    expect(nodesOf(parseModel(uncapped).head, 'softcap')).toEqual([]);
  });

  it('refuses what it does not compute', () => {
    expect(() => parseModel({ ...gemma2, hidden_activation: 'gelu' })).toThrow(
      'expected hidden_activation \'gelu_pytorch_tanh\', received "gelu"',
    );
    expect(() => parseModel({ ...gemma2, use_bidirectional_attention: true })).toThrow(
      'expected attention to what came before, received "use_bidirectional_attention"',
    );
  });
});

describe('Gemma 3', () => {
  it('has a rotary table of each kind of layer, whether nested or not', () => {
    const { sliding_window_pattern: _, rope_local_base_freq: __, rope_scaling: ___, ...rest } = text;
    const rope_parameters = {
      full_attention: { rope_type: 'linear', factor: 2, rope_theta: 1e6 },
      sliding_attention: { rope_type: 'default', rope_theta: 100 },
    };
    const layer_types = ['sliding_attention', 'full_attention'];
    const newer = parseModel({ ...rest, rope_parameters, layer_types });
    const older = parseModel(text);
    expect(newer.rotary).toEqual(older.rotary);
    expect(newer.layers).toEqual(older.layers);
    expect(older.rotary).toEqual({
      full_attention: { theta: 1e6, width: 6, scaling: { type: 'linear', factor: 2 } },
      sliding_attention: { theta: 100, width: 6, scaling: { type: 'none' } },
    });
    const tables = older.layers.flatMap((layer) => nodesOf(layer, 'rotary').map(({ table }) => table));
    expect(new Set(tables.slice(0, 2))).toEqual(new Set(['sliding_attention']));
    expect(new Set(tables.slice(2))).toEqual(new Set(['full_attention']));
  });

  it('refuses tables that contradict each other, and one for all layers', () => {
    expect(() => parseModel({ ...text, rope_parameters: { sliding_attention: { rope_theta: 7 } } })).toThrow(
      'expected one rope_theta of the rotary embedding, received [100,7]',
    );
    expect(() => parseModel({ ...text, rope_parameters: { rope_theta: 7 } })).toThrow(
      'expected rope_parameters of full_attention and sliding_attention',
    );
  });

  it.each([
    ['language_model.model.', 'language_model.'],
    ['model.language_model.', ''],
  ])('is read from %s beside a model of pictures', async (base, head) => {
    using backend = createReferenceBackend();
    const json = { ...gemma3, text_config: { ...gemma3.text_config, tie_word_embeddings: false } };
    const tensors = floatTensors(json);
    const ids = tinyIds(5);
    using plain = await loadTensors(backend, json, tensors);
    const stored = new Map(
      [...tensors].map(([name, tensor]) => [
        name.startsWith('lm_head') ? head + name : name.replace(/^model\./, base),
        tensor,
      ]),
    ).set('vision_tower.layers.0.weight', tensors.get('lm_head.weight')!);
    using named = await loadTensors(backend, json, stored);
    expect(await logitsOf(named, ids)).toEqual(await logitsOf(plain, ids));
    stored.set(`${base}layers.0.self_attn.q_proj.bias`, tensors.get('lm_head.weight')!);
    await expect(loadTensors(backend, json, stored)).rejects.toThrow(
      'self_attn.q_proj.bias: expected a tensor',
    );
  });

  it('refuses pictures without a text model', () => {
    expect(() => parseModel({ model_type: 'gemma3' })).toThrow('expected a text_config, received nothing');
  });
});
