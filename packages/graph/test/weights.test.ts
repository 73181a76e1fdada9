/** The weights that a graph reads, and the tensors of a file that are theirs. */
import { createReferenceBackend, type HostTensor } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import {
  bindTensors,
  globalWeights,
  layerWeights,
  parseModel,
  parseSpikingConfig,
  tables,
} from '../src/index.ts';
import {
  floatTensors,
  loadTensors,
  logitsOf,
  spikingJson,
  spikingTensors,
  TINY_CONFIG,
  tinyIds,
  type Tensors,
} from './tiny.ts';

const UNTIED = { ...TINY_CONFIG, tie_word_embeddings: false };
const some: HostTensor = { type: 'float32', dims: [2], data: new Float32Array(2) };

describe('the weights of a graph', () => {
  it('of a layer are its norms, then its linears', () => {
    const [, layer] = parseModel({ ...TINY_CONFIG, mlp_bias: true }).layers;
    const own = (entry: { name: string }): string => entry.name.replace('model.layers.1.', '');
    expect(layerWeights(layer).map((entry) => [own(entry), entry.shape.join(), entry.role])).toEqual([
      ['input_layernorm.weight', '16', 'norm'],
      ['post_attention_layernorm.weight', '16', 'norm'],
      ['self_attn.q_proj.weight', '16,16', 'linear'],
      ['self_attn.k_proj.weight', '8,16', 'linear'],
      ['self_attn.v_proj.weight', '8,16', 'linear'],
      ['self_attn.o_proj.weight', '16,16', 'linear'],
      ['mlp.gate_proj.weight', '24,16', 'linear'],
      ['mlp.gate_proj.bias', '24', 'bias'],
      ['mlp.up_proj.weight', '24,16', 'linear'],
      ['mlp.up_proj.bias', '24', 'bias'],
      ['mlp.down_proj.weight', '16,24', 'linear'],
      ['mlp.down_proj.bias', '16', 'bias'],
    ]);
  });

  it('say how far each may be quantised', () => {
    const { layers, ...model } = parseModel(TINY_CONFIG);
    const lowest = [...globalWeights({ layers, ...model }), ...layerWeights(layers[0])].map(
      ({ role, lowestPrecision }) => `${role} ${lowestPrecision}`,
    );
    expect(new Set(lowest)).toEqual(new Set(['table float16', 'norm float32', 'linear packed']));
  });

  it('have a tied table once', () => {
    const names = (json: object): string[] => globalWeights(parseModel({ ...json })).map(({ name }) => name);
    expect(names(TINY_CONFIG)).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
    expect(names(UNTIED)).toEqual(['model.embed_tokens.weight', 'model.norm.weight', 'lm_head.weight']);
    expect(tables(parseModel(UNTIED))).toEqual([
      { prefix: 'model.embed_tokens', outputs: 31, inputs: 16 },
      { prefix: 'lm_head', outputs: 31, inputs: 16 },
    ]);
  });
});

async function logits(config: object, tensors: Tensors): Promise<Float32Array[]> {
  using backend = createReferenceBackend();
  using decoder = await loadTensors(backend, { ...config }, tensors);
  return await logitsOf(decoder, tinyIds(4));
}

/** The tensors under other names. */
const renamed = (tensors: Tensors, name: (old: string) => string): Tensors =>
  new Map([...tensors].map(([old, tensor]) => [name(old), tensor]));

const bind = (tensors: Tensors, config: object = TINY_CONFIG) =>
  bindTensors(memorySource(tensors), parseModel({ ...config }), parseSpikingConfig({ ...config }));

describe('a tensor under the layers that nothing reads is refused', () => {
  const beside = (...names: string[]): Tensors => {
    const tensors = floatTensors(TINY_CONFIG);
    for (const name of names) tensors.set(name, some);
    return tensors;
  };

  it.each([
    ['a bias that config.json does not have', 'model.layers.0.self_attn.q_proj.bias'],
    ['an adapter', 'model.layers.1.self_attn.q_proj.lora_A.default.weight'],
    ['a norm of another family', 'model.layers.0.self_attn.q_norm.weight'],
    ['packed codes of a float model', 'model.layers.0.mlp.up_proj.weight_codes'],
    ['salient channels of a float model', 'model.layers.0.mlp.up_proj.salient_channels'],
    ['a layer that has no number', 'model.layers.first.mlp.up_proj.weight'],
    ['a bias of the head', 'lm_head.bias'],
    ['a bias of the final norm', 'model.norm.bias'],
    ['an adapter under the names of the base class', 'layers.1.self_attn.q_proj.lora_A.default.weight'],
  ])('%s', (_, name) => {
    expect(() => bind(beside(name))).toThrow(
      expect.objectContaining({
        code: 'MISMATCH',
        message: `${name}: expected a tensor that a model of family llama reads, as config.json has it, received one that nothing reads; merge adapters into the weights, and say in config.json which biases there are.`,
      }),
    );
  });

  it('with the reason where it belongs to a layer that is not counted', () => {
    const name = 'model.layers.2.input_layernorm.weight';
    expect(() => bind(beside(name))).toThrow(
      expect.objectContaining({
        code: 'MISMATCH',
        message: `config.json: expected num_hidden_layers to count all layers of the model, received 2, and a tensor ${name}.`,
      }),
    );
  });

  it('before anything is read', async () => {
    const tensors = beside('model.layers.0.self_attn.q_proj.bias');
    await expect(logits(TINY_CONFIG, tensors)).rejects.toThrow('self_attn.q_proj.bias: expected a tensor');
  });

  it('in a spiking model too, where floats lie beside codes', () => {
    const config = { ...TINY_CONFIG, quantization_config: spikingJson('block') };
    const tensors = spikingTensors(config, 'block');
    expect([...bind(tensors, config).names()]).toEqual([...tensors.keys()]);
    tensors.set('model.layers.0.mlp.up_proj.weight', some);
    expect(() => bind(tensors, config)).toThrow('model.layers.0.mlp.up_proj.weight: expected a tensor');
  });

  it.each([
    'model.layers.0.self_attn.rotary_emb.inv_freq',
    'model.layers.1.self_attn.masked_bias',
    'lm_head.weight',
    'score.weight',
    'vision_model.layers.0.weight',
  ])('but not %s', async (name) => {
    const want = await logits(TINY_CONFIG, floatTensors(TINY_CONFIG));
    expect(await logits(TINY_CONFIG, beside(name))).toEqual(want);
  });

  it('but not biases that config.json has', () => {
    const config = { ...TINY_CONFIG, attention_bias: true };
    expect(() => bind(floatTensors(config), config)).not.toThrow();
  });
});

describe('a model that was saved as its base class', () => {
  const base = (name: string): string => name.replace(/^model\./, '');

  it.each([TINY_CONFIG, UNTIED])('is read by the names without model.', async (config) => {
    const tensors = floatTensors(config);
    expect(await logits(config, renamed(tensors, base))).toEqual(await logits(config, tensors));
  });

  it('shows its tensors by the names of the graph', async () => {
    const tensors = floatTensors(UNTIED);
    const bound = bind(renamed(tensors, base), UNTIED);
    expect([...bound.names()]).toEqual([...tensors.keys()]);
    const name = 'model.layers.1.mlp.up_proj.weight';
    expect(bound.info(name)?.shape).toEqual([24, 16]);
    expect(await bound.read(name)).toBe(tensors.get(name));
  });

  it.each(['self_attn.q_proj.bias', 'self_attn.q_proj.lora_A.default.weight'])('may not have %s', (name) => {
    const tensors = renamed(floatTensors(TINY_CONFIG), base).set(`layers.0.${name}`, some);
    expect(() => bind(tensors)).toThrow(`layers.0.${name}: expected a tensor`);
  });

  it('may spike', async () => {
    const config = { ...TINY_CONFIG, quantization_config: spikingJson('token') };
    const tensors = spikingTensors(config, 'token');
    expect(await logits(config, renamed(tensors, base))).toEqual(await logits(config, tensors));
  });
});

describe('a tied table that is stored under lm_head', () => {
  const head = (name: string): string => name.replace(/^(model\.)?embed_tokens/, 'lm_head');
  const tensors = floatTensors(TINY_CONFIG);

  it('is the embedding', async () => {
    expect(await logits(TINY_CONFIG, renamed(tensors, head))).toEqual(await logits(TINY_CONFIG, tensors));
  });

  it('is so beside base-class names', async () => {
    const both = renamed(tensors, (name) => head(name).replace(/^model\./, ''));
    expect(await logits(TINY_CONFIG, both)).toEqual(await logits(TINY_CONFIG, tensors));
  });

  it('is not what an untied model lacks', async () => {
    const untied = renamed(tensors, head);
    await expect(logits(UNTIED, untied)).rejects.toThrow('expected tensor model.embed_tokens.weight');
  });

  it('gives way to the embedding where both are there', async () => {
    const both = new Map(tensors).set('lm_head.weight', { ...tensors.get('model.embed_tokens.weight')! });
    (both.get('lm_head.weight') as { data: unknown }).data = new Float32Array(31 * 16);
    expect(await logits(TINY_CONFIG, both)).toEqual(await logits(TINY_CONFIG, tensors));
  });
});

it('is the source itself where every name is as the graph has it', () => {
  const source = memorySource(floatTensors(TINY_CONFIG));
  expect(bindTensors(source, parseModel(TINY_CONFIG), undefined)).toBe(source);
});
