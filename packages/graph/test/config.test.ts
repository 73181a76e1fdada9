import { describe, expect, it } from 'vitest';
import { parseDecoderConfig } from '../src/index.ts';

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
  scaling: {
    type: 'llama3',
    factor: 32,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalContextLength: 8192,
  },
};

describe('parseDecoderConfig', () => {
  it('reads LLaMA 2', () => {
    expect(parseDecoderConfig(LLAMA_2)).toEqual({
      family: 'llama',
      hiddenSize: 4096,
      intermediateSize: 11008,
      layers: 32,
      heads: 32,
      kvHeads: 32,
      headSize: 128,
      vocabularySize: 32000,
      contextLength: 4096,
      normEpsilon: 1e-5,
      rope: { theta: 10000, scaling: { type: 'none' } },
      tiedEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      endTokens: [2],
    });
  });

  it('reads LLaMA 3: grouped heads, llama3 rope scaling, tied embeddings, several end tokens', () => {
    expect(parseDecoderConfig(LLAMA_3)).toEqual({
      family: 'llama',
      hiddenSize: 2048,
      intermediateSize: 8192,
      layers: 16,
      heads: 32,
      kvHeads: 8,
      headSize: 64,
      vocabularySize: 128256,
      contextLength: 131072,
      normEpsilon: 1e-5,
      rope: LLAMA_3_ROPE,
      tiedEmbeddings: true,
      attentionBias: false,
      mlpBias: false,
      endTokens: [128001, 128008, 128009],
    });
  });

  it('takes a head size that is not hidden size / heads', () => {
    const { headSize, hiddenSize } = parseDecoderConfig({ ...LLAMA_3, head_dim: 128 });
    expect([headSize, hiddenSize]).toEqual([128, 2048]);
    expect(parseDecoderConfig({ ...LLAMA_3, head_dim: 6, hidden_size: 2050 }).headSize).toBe(6);
    expect(parseDecoderConfig({ ...LLAMA_3, head_dim: null }).headSize).toBe(64);
  });

  it('reads biases', () => {
    const both = parseDecoderConfig({ ...LLAMA_2, attention_bias: true, mlp_bias: true });
    expect([both.attentionBias, both.mlpBias]).toEqual([true, true]);
  });

  it('reads the rotation of what down reads, and has none where there is none', () => {
    expect(parseDecoderConfig({ ...LLAMA_2, down_rotation: 'hadamard' }).downRotation).toBe('hadamard');
    expect(parseDecoderConfig(LLAMA_2)).not.toHaveProperty('downRotation');
  });

  it('reads linear rope scaling, under its newer and its older name of the type', () => {
    const linear = { theta: 10000, scaling: { type: 'linear', factor: 8 } };
    expect(parseDecoderConfig({ ...LLAMA_2, rope_scaling: { type: 'linear', factor: 8 } }).rope).toEqual(
      linear,
    );
    expect(parseDecoderConfig({ ...LLAMA_2, rope_scaling: { rope_type: 'linear', factor: 8 } }).rope).toEqual(
      linear,
    );
  });

  it('reads rope_parameters, which hold theta too', () => {
    const { rope_theta, rope_scaling, ...rest } = LLAMA_3;
    expect(parseDecoderConfig({ ...rest, rope_parameters: { ...rope_scaling, rope_theta } }).rope).toEqual(
      LLAMA_3_ROPE,
    );
    const plain = { ...rest, rope_parameters: { rope_type: 'default', rope_theta: 7 } };
    expect(parseDecoderConfig(plain).rope).toEqual({ theta: 7, scaling: { type: 'none' } });
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
    expect(parseDecoderConfig(sizes)).toMatchObject({
      kvHeads: 32,
      contextLength: 2048,
      normEpsilon: 1e-6,
      rope: { theta: 10000, scaling: { type: 'none' } },
      tiedEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      endTokens: [],
    });
  });
});

describe('parseDecoderConfig refuses', () => {
  it.each([
    {
      change: { model_type: 'mixtral' },
      message:
        'config.json: expected model_type among llama, received "mixtral"; only decoders of the LLaMA family can be read.',
    },
    {
      change: { model_type: undefined },
      message:
        'config.json: expected model_type among llama, received nothing; only decoders of the LLaMA family can be read.',
    },
    {
      change: { hidden_act: 'gelu' },
      message: 'config.json: expected hidden_act \'silu\', received "gelu".',
    },
    {
      change: { rope_scaling: { rope_type: 'yarn', factor: 2 } },
      message: "config.json: expected rope_scaling of type 'linear' or 'llama3', received \"yarn\".",
    },
  ])('what it cannot run: $change', ({ change, message }) => {
    expect(() => parseDecoderConfig({ ...LLAMA_2, ...change })).toThrow(
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
      change: { rope_scaling: { ...LLAMA_3.rope_scaling, original_max_position_embeddings: 0.5 } },
      message: 'original_max_position_embeddings to be a whole number, received 0.5',
    },
  ])('a field that contradicts: $change', ({ change, message }) => {
    expect(() => parseDecoderConfig({ ...LLAMA_2, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: `config.json: expected ${message}.` }),
    );
  });
});
