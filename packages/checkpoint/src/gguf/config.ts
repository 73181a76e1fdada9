import { missing } from './errors.ts';
import type { ModelFacts } from './facts.ts';
import { ropeParameters } from './rope.ts';

type Json = Record<string, unknown>;

/** The fields of config.json that mean what a file's metadata says, of one architecture. */
export type ConfigOf = (facts: ModelFacts) => Json;

const EMBEDDING = 'token_embd.weight';

/** The size of a head: as stated, else what the width gives. */
function headSizeOf({ metadata }: ModelFacts): number {
  if (metadata.has('.attention.key_length')) return metadata.count('.attention.key_length');
  return metadata.count('.embedding_length') / metadata.count('.attention.head_count');
}

/** Fields that all decoders here share. Errors: MISSING, CORRUPT_FILE, UNSUPPORTED. */
function decoder(facts: ModelFacts, modelType: string, headSize = headSizeOf(facts)): Json {
  const { metadata, shapes } = facts;
  const heads = metadata.count('.attention.head_count');
  const kvHeads = '.attention.head_count_kv';
  return {
    model_type: modelType,
    hidden_size: metadata.count('.embedding_length'),
    intermediate_size: metadata.count('.feed_forward_length'),
    num_hidden_layers: metadata.count('.block_count'),
    num_attention_heads: heads,
    num_key_value_heads: metadata.has(kvHeads) ? metadata.count(kvHeads) : heads,
    head_dim: headSize,
    vocab_size: vocabularySize(facts),
    max_position_embeddings: metadata.count('.context_length'),
    rms_norm_eps: metadata.number('.attention.layer_norm_rms_epsilon'),
    rope_parameters: ropeParameters(facts, headSize),
    tie_word_embeddings: !shapes.has('output.weight'),
    ...tokenIds(facts),
  };
}

function vocabularySize({ metadata, shapes }: ModelFacts): number {
  const shape = shapes.get(EMBEDDING);
  if (shape !== undefined) return shape[0];
  const remedy = 'take the file of the language model, not of an adapter or a projector';
  throw missing(metadata.path, `tensor ${EMBEDDING}`, remedy);
}

/** BOS, and all tokens that end a text: several where a turn ends otherwise than a document. */
function tokenIds({ metadata }: ModelFacts): Json {
  const id = (name: string): number[] => {
    const key = `tokenizer.ggml.${name}_token_id`;
    return metadata.has(key) ? [metadata.count(key)] : [];
  };
  const ends = [...new Set(['eos', 'eot', 'eom'].flatMap(id))];
  const [bos] = id('bos');
  return {
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0] : ends }),
  };
}

const biases = ({ shapes }: ModelFacts): Json => ({
  attention_bias: shapes.has('blk.0.attn_q.bias'),
  mlp_bias: shapes.has('blk.0.ffn_up.bias'),
});

const silu = { hidden_act: 'silu' };

/** `llama` is also what Mistral, SmolLM and Mixtral are converted to; the last has experts. */
export const llamaConfig: ConfigOf = (facts) => {
  const { metadata } = facts;
  const experts = metadata.has('.expert_count') ? metadata.count('.expert_count') : 0;
  if (experts === 0) {
    return { ...decoder(facts, 'llama', rotatedHeadSize(facts)), ...silu, ...biases(facts) };
  }
  return {
    ...decoder(facts, 'mixtral', rotatedHeadSize(facts)),
    ...silu,
    num_local_experts: experts,
    num_experts_per_tok: metadata.count('.expert_used_count'),
  };
};

/** Heads may be wider than the width gives; older files tell it only by the rotation, which turns whole heads. */
function rotatedHeadSize(facts: ModelFacts): number {
  const key = '.rope.dimension_count';
  const isTold = !facts.metadata.has('.attention.key_length') && facts.metadata.has(key);
  return isTold ? facts.metadata.count(key) : headSizeOf(facts);
}

export const qwen2Config: ConfigOf = (facts) => ({ ...decoder(facts, 'qwen2'), ...silu });

export const qwen3Config: ConfigOf = (facts) => ({
  ...decoder(facts, 'qwen3'),
  ...silu,
  attention_bias: facts.shapes.has('blk.0.attn_q.bias'),
});

/** All layers have experts, and their weights are made to add up to one. */
export const qwen3MoeConfig: ConfigOf = (facts) => {
  const experts = facts.metadata.count('.expert_count');
  return {
    ...decoder(facts, 'qwen3_moe'),
    ...silu,
    attention_bias: facts.shapes.has('blk.0.attn_q.bias'),
    moe_intermediate_size: facts.metadata.count('.expert_feed_forward_length'),
    num_experts: experts,
    num_local_experts: experts,
    num_experts_per_tok: facts.metadata.count('.expert_used_count'),
    norm_topk_prob: true,
    decoder_sparse_step: 1,
    mlp_only_layers: [],
  };
};

export const smollm3Config: ConfigOf = (facts) => {
  const layers = facts.metadata.count('.block_count');
  return {
    ...decoder(facts, 'smollm3'),
    ...silu,
    ...biases(facts),
    no_rope_layer_interval: 4,
    no_rope_layers: perLayer(layers, (i) => ((i + 1) % 4 === 0 ? 0 : 1)),
    use_sliding_window: false,
  };
};

export const graniteConfig: ConfigOf = (facts) => {
  const { metadata } = facts;
  return {
    ...decoder(facts, 'granite'),
    ...silu,
    ...biases(facts),
    attention_multiplier: metadata.number('.attention.scale'),
    embedding_multiplier: metadata.number('.embedding_scale'),
    residual_multiplier: metadata.number('.residual_scale'),
    logits_scaling: metadata.number('.logit_scale'),
  };
};

export const olmo2Config: ConfigOf = (facts) => ({
  ...decoder(facts, 'olmo2'),
  ...silu,
  attention_bias: false,
});

export const phi3Config: ConfigOf = (facts) => {
  const { metadata } = facts;
  const common = decoder(facts, 'phi3');
  const headSize = headSizeOf(facts);
  const rotated = metadata.has('.rope.dimension_count') ? metadata.count('.rope.dimension_count') : headSize;
  const rope = ropeParameters(facts, rotated);
  return {
    ...common,
    ...silu,
    rope_parameters: { ...rope, partial_rotary_factor: rotated / headSize },
    original_max_position_embeddings: rope.original_max_position_embeddings ?? common.max_position_embeddings,
    sliding_window: slidingWindow(facts),
  };
};

/** Null where there is none. */
function slidingWindow({ metadata }: ModelFacts): number | null {
  const key = '.attention.sliding_window';
  return metadata.has(key) && metadata.count(key) > 0 ? metadata.count(key) : null;
}

const perLayer = <T>(layers: number, of: (index: number) => T): T[] =>
  Array.from({ length: Math.min(layers, MAX_LAYERS) }, (_, i) => of(i));

/** More than any model has, so that a broken count does not become a list of a billion layers. */
const MAX_LAYERS = 10_000;

/** Every `period`-th layer attends to all positions, the others to a window. */
const layerTypes = (layers: number, period: number): string[] =>
  perLayer(layers, (i) => ((i + 1) % period === 0 ? 'full_attention' : 'sliding_attention'));

/**
 * What the scores are divided by, squared: the size of a head, but for the largest model of a generation, which files do
 * not tell apart but by their layers.
 */
function scoreScale(facts: ModelFacts, layersOfLargest: number): number {
  const { metadata } = facts;
  if (metadata.has('.attention.scale')) return Math.round(metadata.number('.attention.scale') ** -2);
  if (metadata.count('.block_count') !== layersOfLargest) return headSizeOf(facts);
  return metadata.count('.embedding_length') / metadata.count('.attention.head_count');
}

const cap = ({ metadata }: ModelFacts, key: string, otherwise: number | null): number | null =>
  metadata.has(key) ? metadata.number(key) : otherwise;

export const gemma2Config: ConfigOf = (facts) => ({
  ...decoder(facts, 'gemma2'),
  hidden_activation: 'gelu_pytorch_tanh',
  attention_bias: false,
  query_pre_attn_scalar: scoreScale(facts, 46),
  attn_logit_softcapping: cap(facts, '.attn_logit_softcapping', 50),
  final_logit_softcapping: cap(facts, '.final_logit_softcapping', 30),
  sliding_window: slidingWindow(facts) ?? 4096,
  layer_types: layerTypes(facts.metadata.count('.block_count'), 2),
});

export const gemma3Config: ConfigOf = (facts) => {
  const { metadata } = facts;
  const common = decoder(facts, 'gemma3_text');
  const pattern = '.attention.sliding_window_pattern';
  const local = '.rope.freq_base_swa';
  return {
    ...common,
    hidden_activation: 'gelu_pytorch_tanh',
    attention_bias: false,
    query_pre_attn_scalar: scoreScale(facts, 62),
    attn_logit_softcapping: cap(facts, '.attn_logit_softcapping', null),
    final_logit_softcapping: cap(facts, '.final_logit_softcapping', null),
    sliding_window: slidingWindow(facts),
    layer_types: layerTypes(
      metadata.count('.block_count'),
      metadata.has(pattern) ? metadata.count(pattern) : 6,
    ),
    rope_parameters: {
      full_attention: common.rope_parameters,
      sliding_attention: {
        rope_type: 'default',
        rope_theta: metadata.has(local) ? metadata.number(local) : 10_000,
      },
    },
  };
};
