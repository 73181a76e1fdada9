import { describe, expect, it } from 'vitest';
import { FAMILIES, nodesOf, parseModel } from '../src/index.ts';

const LLAMA_2 = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  vocab_size: 32000,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
};

const LLAMA_3 = {
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 64,
  vocab_size: 128256,
  max_position_embeddings: 131072,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  rope_scaling: {
    factor: 32,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  },
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  eos_token_id: [128001, 128008, 128009],
};

const LLAMA_3_ROPE = {
  theta: 500000,
  width: 64,
  scaling: {
    type: 'llama3',
    factor: 32,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalContextLength: 8192,
  },
};

const plainRope = (theta: number, width: number) => ({ theta, width, scaling: { type: 'none' } });

const ropeOf = (json: object) => parseModel({ ...json }).rotary.rope;

/** What config.json says that is in the graphs: the norms, and which linears have biases. */
function inGraphs(json: object) {
  const { layers, head } = parseModel({ ...json });
  const norms = [...layers, head].flatMap((graph) => nodesOf(graph, 'norm'));
  const linears = layers.flatMap((layer) => nodesOf(layer, 'linear'));
  return {
    epsilons: [...new Set(norms.map(({ eps }) => eps))],
    norms: norms.length,
    biases: [...new Set(linears.filter(({ bias }) => bias).map(({ name }) => name))],
  };
}

describe('parseModel', () => {
  it('reads LLaMA 2', () => {
    const { config, rotary } = parseModel(LLAMA_2);
    expect(config).toEqual({
      family: 'llama',
      hiddenSize: 4096,
      intermediateSize: 11008,
      layers: 32,
      heads: 32,
      kvHeads: 32,
      headSize: 128,
      vocabularySize: 32000,
      contextLength: 4096,
      tiedEmbeddings: false,
      endTokens: [2],
    });
    expect(rotary).toEqual({ rope: plainRope(10000, 128) });
    expect(inGraphs(LLAMA_2)).toEqual({ epsilons: [1e-5], norms: 65, biases: [] });
  });

  it('reads LLaMA 3: grouped heads, llama3 rope scaling, tied embeddings, several end tokens', () => {
    const { config, rotary } = parseModel(LLAMA_3);
    expect(config).toEqual({
      family: 'llama',
      hiddenSize: 2048,
      intermediateSize: 8192,
      layers: 16,
      heads: 32,
      kvHeads: 8,
      headSize: 64,
      vocabularySize: 128256,
      contextLength: 131072,
      tiedEmbeddings: true,
      endTokens: [128001, 128008, 128009],
    });
    expect(rotary).toEqual({ rope: LLAMA_3_ROPE });
    expect(inGraphs(LLAMA_3)).toEqual({ epsilons: [1e-5], norms: 33, biases: [] });
  });

  it('takes a head size that is not hidden size / heads', () => {
    const { headSize, hiddenSize } = parseModel({ ...LLAMA_3, head_dim: 128 }).config;
    expect([headSize, hiddenSize]).toEqual([128, 2048]);
    expect(parseModel({ ...LLAMA_3, head_dim: 6, hidden_size: 2050 }).config.headSize).toBe(6);
    expect(parseModel({ ...LLAMA_3, head_dim: null }).config.headSize).toBe(64);
  });

  it('reads biases', () => {
    const attention = ['q', 'k', 'v', 'o'].map((name) => `self_attn.${name}_proj`);
    const mlp = ['gate', 'up', 'down'].map((name) => `mlp.${name}_proj`);
    expect(inGraphs({ ...LLAMA_2, attention_bias: true }).biases).toEqual(attention);
    expect(inGraphs({ ...LLAMA_2, mlp_bias: true }).biases).toEqual(mlp);
    const both = { ...LLAMA_2, attention_bias: true, mlp_bias: true };
    expect(inGraphs(both).biases).toEqual([...attention, ...mlp]);
  });

  it('reads the rotation of what down reads, and has none where there is none', () => {
    const rotated = parseModel({ ...LLAMA_2, down_rotation: 'hadamard' });
    expect(rotated.config.downRotation).toBe('hadamard');
    expect(rotated.layers.map((layer) => nodesOf(layer, 'hadamard').length)).toEqual(Array(32).fill(1));
    const plain = parseModel(LLAMA_2);
    expect(plain.config).not.toHaveProperty('downRotation');
    expect(nodesOf(plain.layers[0], 'hadamard')).toEqual([]);
  });

  it('has the defaults of the architecture', () => {
    const { model_type, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, vocab_size } =
      LLAMA_2;
    const sizes = {
      model_type,
      hidden_size,
      intermediate_size,
      num_hidden_layers,
      num_attention_heads,
      vocab_size,
    };
    expect(parseModel(sizes).config).toMatchObject({
      kvHeads: 32,
      contextLength: 2048,
      tiedEmbeddings: false,
      endTokens: [],
    });
    expect(ropeOf(sizes)).toEqual(plainRope(10000, 128));
    expect(inGraphs(sizes)).toMatchObject({ epsilons: [1e-6], biases: [] });
  });
});

describe('rope', () => {
  it('of linear scaling, under its newer and its older name of the type', () => {
    const linear = { theta: 10000, width: 128, scaling: { type: 'linear', factor: 8 } };
    expect(ropeOf({ ...LLAMA_2, rope_scaling: { type: 'linear', factor: 8 } })).toEqual(linear);
    expect(ropeOf({ ...LLAMA_2, rope_scaling: { rope_type: 'linear', factor: 8 } })).toEqual(linear);
  });

  it('of rope_parameters, which hold theta too', () => {
    const { rope_theta, rope_scaling, ...rest } = LLAMA_3;
    expect(ropeOf({ ...rest, rope_parameters: { ...rope_scaling, rope_theta } })).toEqual(LLAMA_3_ROPE);
    const plain = { ...rest, rope_parameters: { rope_type: 'default', rope_theta: 7 } };
    expect(ropeOf(plain)).toEqual(plainRope(7, 64));
  });

  it('of fields that say the same twice', () => {
    const rope_parameters = { ...LLAMA_3.rope_scaling, rope_theta: 500000, type: 'llama3' };
    expect(ropeOf({ ...LLAMA_3, rope_parameters })).toEqual(LLAMA_3_ROPE);
    expect(ropeOf({ ...LLAMA_3, rope_scaling: null, rope_parameters: {} })).toEqual(plainRope(500000, 64));
  });

  it('of dynamic scaling', () => {
    const scaling = { type: 'dynamic', factor: 2, originalContextLength: 4096 };
    expect(ropeOf({ ...LLAMA_2, rope_scaling: { type: 'dynamic', factor: 2 } })).toMatchObject({ scaling });
  });

  it('of yarn, with what follows from its factor', () => {
    const rope_scaling = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 1024 };
    const of = (change: object) =>
      ropeOf({ ...LLAMA_2, rope_scaling: { ...rope_scaling, ...change } }).scaling;
    const yarn = {
      type: 'yarn',
      factor: 4,
      fastTurns: 32,
      slowTurns: 1,
      wholePairs: true,
      originalContextLength: 1024,
      attentionFactor: 0.1 * Math.log(4) + 1,
    };
    expect(of({})).toEqual(yarn);
    expect(of({ attention_factor: 1.5 })).toEqual({ ...yarn, attentionFactor: 1.5 });
    expect(of({ mscale: 0.5, mscale_all_dim: 1 })).toEqual({
      ...yarn,
      attentionFactor: (0.05 * Math.log(4) + 1) / (0.1 * Math.log(4) + 1),
    });
    expect(of({ beta_fast: 16, beta_slow: 2, truncate: false, factor: null })).toEqual({
      ...yarn,
      fastTurns: 16,
      slowTurns: 2,
      wholePairs: false,
    });
  });

  it('of longrope, and of a part of each head', () => {
    const rope_scaling = { rope_type: 'longrope', short_factor: [1, 2], long_factor: [3, 4] };
    const change = { head_dim: 8, partial_rotary_factor: 0.5, original_max_position_embeddings: 1024 };
    expect(ropeOf({ ...LLAMA_2, ...change, rope_scaling })).toEqual({
      theta: 10000,
      width: 4,
      scaling: {
        type: 'longrope',
        shortFactors: [1, 2],
        longFactors: [3, 4],
        originalContextLength: 1024,
        attentionFactor: Math.sqrt(1 + Math.log(4) / Math.log(1024)),
      },
    });
    // Five of ten channels are three pairs.
    expect(ropeOf({ ...LLAMA_2, head_dim: 10, partial_rotary_factor: 0.5 }).width).toBe(6);
  });

  it('has no scaling where rope_scaling is false', () => {
    expect(ropeOf({ ...LLAMA_2, rope_scaling: false })).toEqual(plainRope(10000, 128));
  });
});

const KNOWN = FAMILIES.map(({ modelType }) => modelType).join(', ');

describe('parseModel refuses', () => {
  it.each([
    {
      change: { model_type: 'unheard-of' },
      message: `config.json: expected model_type among ${KNOWN}, received "unheard-of"; models of other families cannot be read yet.`,
    },
    {
      change: { model_type: undefined },
      message: `config.json: expected model_type among ${KNOWN}, received nothing; models of other families cannot be read yet.`,
    },
    {
      change: { hidden_act: 'gelu' },
      message: 'config.json: expected hidden_act \'silu\', received "gelu".',
    },
    {
      change: { rope_scaling: { rope_type: 'proportional', factor: 2 } },
      message:
        "config.json: expected rope_scaling of type 'linear', 'dynamic', 'llama3', 'yarn', 'longrope', received \"proportional\".",
    },
    {
      change: { rope_parameters: { full_attention: { rope_theta: 1 } } },
      message:
        'config.json: expected one rope_parameters for all layers, received {"full_attention":{"rope_theta":1}}.',
    },
  ])('what it cannot run: $change', ({ change, message }) => {
    expect(() => parseModel({ ...LLAMA_2, ...change })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message }),
    );
  });

  it.each([
    { change: { hidden_size: undefined }, message: 'hidden_size to be a number above 0, received nothing' },
    {
      change: { intermediate_size: null },
      message: 'intermediate_size to be a number above 0, received nothing',
    },
    { change: { num_hidden_layers: 0 }, message: 'num_hidden_layers to be a number above 0, received 0' },
    {
      change: { num_attention_heads: '32' },
      message: 'num_attention_heads to be a number above 0, received "32"',
    },
    { change: { vocab_size: 1.5 }, message: 'vocab_size to be a whole number, received 1.5' },
    { change: { rms_norm_eps: -1 }, message: 'rms_norm_eps to be a number above 0, received -1' },
    { change: { rope_theta: 0 }, message: 'rope_theta to be a number above 0, received 0' },
    { change: { attention_bias: 1 }, message: 'attention_bias to be true or false, received 1' },
    {
      change: { down_rotation: 'fourier' },
      message: 'down_rotation \'hadamard\', or none, received "fourier"',
    },
    { change: { mlp_bias: 'no' }, message: 'mlp_bias to be true or false, received "no"' },
    { change: { tie_word_embeddings: 0 }, message: 'tie_word_embeddings to be true or false, received 0' },
    {
      change: { num_key_value_heads: 5 },
      message: 'num_attention_heads to be a multiple of num_key_value_heads (5), received 32',
    },
    {
      change: { hidden_size: 4100 },
      message: 'hidden_size to be a multiple of num_attention_heads (32), received 4100',
    },
    { change: { head_dim: 63 }, message: 'an even head size, received 63' },
    {
      change: { eos_token_id: [2, -1] },
      message: 'eos_token_id to be a token id or a list of them, received [2,-1]',
    },
    {
      change: { rope_scaling: { type: 'linear' } },
      message: 'factor to be a number above 0, received nothing',
    },
    {
      change: { rope_scaling: { factor: 4 } },
      message: 'rope_scaling to have a rope_type, where it has a factor, received {"factor":4}',
    },
    {
      change: { rope_scaling: { type: null, factor: 4 } },
      message: 'rope_scaling to have a rope_type, where it has a factor, received {"factor":4}',
    },
    {
      change: { rope_theta: 7, rope_parameters: { rope_type: 'default', rope_theta: 8 } },
      message: 'one rope_theta of the rotary embedding, received [7,8]',
    },
    {
      change: { rope_scaling: { type: 'linear', factor: 4 }, rope_parameters: { rope_type: 'default' } },
      message: 'one rope_type of the rotary embedding, received ["linear","default"]',
    },
    {
      change: { rope_scaling: { type: 'yarn', rope_type: 'linear', factor: 4 } },
      message: 'one rope_type of the rotary embedding, received ["yarn","linear"]',
    },
    {
      change: { rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } },
      message: 'short_factor to be a list of 64 numbers, received [1]',
    },
    {
      change: { rope_scaling: { ...LLAMA_3.rope_scaling, low_freq_factor: 4 } },
      message: 'high_freq_factor above low_freq_factor (4), received 4',
    },
    {
      change: { partial_rotary_factor: 1.5 },
      message: 'partial_rotary_factor to be at most 1, received 1.5',
    },
    { change: { rope_scaling: 'linear' }, message: 'rope_scaling to be an object, received "linear"' },
    {
      change: { rope_scaling: { ...LLAMA_3.rope_scaling, original_max_position_embeddings: 0.5 } },
      message: 'original_max_position_embeddings to be a whole number, received 0.5',
    },
  ])('a field that contradicts: $change', ({ change, message }) => {
    expect(() => parseModel({ ...LLAMA_2, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: `config.json: expected ${message}.` }),
    );
  });
});
