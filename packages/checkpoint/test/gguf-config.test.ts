import { describe, expect, test } from 'vitest';
import { expectError } from './fixtures.ts';
import {
  EMBEDDING,
  entriesOf,
  matrix,
  opened,
  vector,
  type Entry,
  type TensorParts,
} from './gguf-fixtures.ts';

const configOf = async (entries: Entry[], ...tensors: TensorParts[]) =>
  (await opened({ entries, tensors: [EMBEDDING, ...tensors] })).config;

describe('a config', () => {
  test('of llama has the fields of config.json', async () => {
    const config = await configOf(
      entriesOf(
        'llama',
        ['tokenizer.ggml.bos_token_id', 'uint32', 1],
        ['tokenizer.ggml.eos_token_id', 'uint32', 2],
      ),
    );
    expect(config).toEqual({
      model_type: 'llama',
      hidden_size: 8,
      intermediate_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      head_dim: 4,
      vocab_size: 4,
      max_position_embeddings: 128,
      rms_norm_eps: 1e-5,
      rope_parameters: { rope_theta: 5e5, rope_type: 'default' },
      tie_word_embeddings: true,
      bos_token_id: 1,
      eos_token_id: 2,
      hidden_act: 'silu',
      attention_bias: false,
      mlp_bias: false,
    });
  });

  test('counts a head of its own, biases, and both ends of a text', async () => {
    const config = await configOf(
      entriesOf(
        'llama',
        ['llama.attention.key_length', 'uint32', 6],
        ['tokenizer.ggml.eos_token_id', 'uint32', 2],
        ['tokenizer.ggml.eot_token_id', 'uint32', 3],
      ),
      matrix('output.weight', 4, 8),
      vector('blk.0.attn_q.bias', ...Array.from({ length: 12 }, (_, i) => i)),
    );
    expect(config).toMatchObject({
      head_dim: 6,
      tie_word_embeddings: false,
      attention_bias: true,
      eos_token_id: [2, 3],
    });
  });

  test('takes a count that is the same for all layers from a list', async () => {
    const key = 'llama.feed_forward_length';
    const config = await configOf(entriesOf('llama', [key, 'array', ['int32', [24, 24]]]));
    expect(config.intermediate_size).toBe(24);
    const uneven = configOf(entriesOf('llama', [key, 'array', ['int32', [24, 16]]]));
    await expectError(
      uneven,
      'CORRUPT_FILE',
      /feed_forward_length: .*same for all layers, received a list of 2/,
    );
  });

  test('of gemma3 tells windows from full attention, and their rotations', async () => {
    const config = await configOf(
      entriesOf(
        'gemma3',
        ['gemma3.block_count', 'uint32', 7],
        ['gemma3.attention.key_length', 'uint32', 4],
        ['gemma3.attention.sliding_window', 'uint32', 32],
        ['gemma3.rope.scaling.type', 'string', 'linear'],
        ['gemma3.rope.scaling.factor', 'float32', 8],
      ),
    );
    const types = (config.layer_types as string[]).map((type) => type.split('_')[0]);
    expect(types.join(' ')).toBe('sliding sliding sliding sliding sliding full sliding');
    expect(config).toMatchObject({
      model_type: 'gemma3_text',
      query_pre_attn_scalar: 4,
      sliding_window: 32,
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 8, rope_theta: 5e5 },
        sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
      },
    });
  });

  test('of a scaled rotation finds the settings of llama3 again', async () => {
    // Llama 3.2: 32 frequencies, factor 32, thresholds 1 and 4 of 8192 positions.
    const factors = Array.from({ length: 32 }, (_, i) => {
      const turns = 8192 / (2 * Math.PI * 5e5 ** (i / 32));
      const smooth = Math.min(1, Math.max(0, (turns - 1) / 3));
      return 1 / ((1 - smooth) / 32 + smooth);
    });
    const head: Entry = ['llama.attention.key_length', 'uint32', 64];
    const config = await configOf(entriesOf('llama', head), vector('rope_freqs.weight', ...factors));
    expect(config.rope_parameters).toEqual({
      rope_type: 'llama3',
      rope_theta: 5e5,
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
    const others = factors.map((factor, i) => (i === 20 ? factor * 1.01 : factor));
    const broken = configOf(entriesOf('llama', head), vector('rope_freqs.weight', ...others));
    await expectError(broken, 'UNSUPPORTED', /rope_freqs\.weight: expected 32 factors of llama3 scaling/);
  });

  test('has no factors of whole numbers', async () => {
    const factors = { name: 'rope_freqs.weight', dimensions: [2], type: 27, data: new Uint8Array(16) };
    const config = configOf(entriesOf('llama'), factors);
    await expectError(
      config,
      'UNSUPPORTED',
      /tensor rope_freqs\.weight: expected a type among .*received I64/,
    );
  });

  test.for<readonly [string, Entry[], object]>([
    ['no scaling', [['llama.rope.scaling.type', 'string', 'none']], { rope_type: 'default' }],
    [
      'a scale of older files',
      [['llama.rope.scale_linear', 'float32', 4]],
      { rope_type: 'linear', factor: 4 },
    ],
    [
      'linear scaling',
      [
        ['llama.rope.scaling.type', 'string', 'linear'],
        ['llama.rope.scaling.factor', 'float32', 2.5],
      ],
      { rope_type: 'linear', factor: 2.5 },
    ],
    [
      'YaRN',
      [
        ['llama.rope.scaling.type', 'string', 'yarn'],
        ['llama.rope.scaling.factor', 'float32', 4],
        ['llama.rope.scaling.original_context_length', 'uint32', 32],
        ['llama.rope.scaling.yarn_beta_fast', 'float32', 24],
      ],
      { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32, beta_fast: 24 },
    ],
  ])('has %s as config.json would', async ([, entries, scaling]) => {
    const config = await configOf(entriesOf('llama', ...entries));
    expect(config.rope_parameters).toEqual({ rope_theta: 5e5, ...scaling });
  });

  test('of a partly rotated phi3 has both lists of factors', async () => {
    const config = await configOf(
      entriesOf(
        'phi3',
        ['phi3.rope.dimension_count', 'uint32', 2],
        ['phi3.rope.scaling.original_context_length', 'uint32', 16],
        ['phi3.attention.sliding_window', 'uint32', 0],
      ),
      vector('rope_factors_long.weight', 2),
      vector('rope_factors_short.weight', 1),
    );
    expect(config).toMatchObject({
      sliding_window: null,
      original_max_position_embeddings: 16,
      rope_parameters: {
        rope_type: 'longrope',
        long_factor: [2],
        short_factor: [1],
        partial_rotary_factor: 0.5,
      },
    });
  });

  test.for<readonly [string, Entry[], 'MISSING' | 'UNSUPPORTED' | 'CORRUPT_FILE', RegExp]>([
    [
      'of an unknown architecture',
      entriesOf('mamba'),
      'UNSUPPORTED',
      /m\.gguf: .*among llama, .*received mamba/,
    ],
    ['of a name without end', entriesOf('x'.repeat(5000)), 'UNSUPPORTED', /received x{100,400}…?/],
    ['of no architecture', [], 'MISSING', /the key general\.architecture/],
    ['without a width', entriesOf('llama').toSpliced(3, 1), 'MISSING', /the key llama\.embedding_length/],
    [
      'with a width that is a text',
      entriesOf('llama', ['llama.embedding_length', 'string', '8']),
      'CORRUPT_FILE',
      /key llama\.embedding_length: expected a whole number from 0 up.*received "8"/,
    ],
    [
      'with another scaling',
      entriesOf(
        'llama',
        ['llama.rope.scaling.type', 'string', 'su'],
        ['llama.rope.scaling.factor', 'float32', 2],
      ),
      'UNSUPPORTED',
      /received 'su'/,
    ],
  ])('%s is refused', async ([, entries, code, sentence]) => {
    await expectError(configOf(entries), code, sentence);
  });
});
