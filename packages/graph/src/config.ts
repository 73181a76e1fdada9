import { SpikeError } from '@spikellm/backend';

/** How positions become angles. */
export interface RopeConfig {
  readonly theta: number;
  readonly scaling:
    | { readonly type: 'none' }
    | { readonly type: 'linear'; readonly factor: number }
    | {
        readonly type: 'llama3';
        readonly factor: number;
        readonly lowFrequencyFactor: number;
        readonly highFrequencyFactor: number;
        readonly originalContextLength: number;
      };
}

/** Everything about a decoder that is not a weight. */
export interface DecoderConfig {
  readonly family: 'llama';
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly rope: RopeConfig;
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** The inputs of down are rotated by `hadamard_f32` as the decoder runs; its weights are made for that. */
  readonly downRotation?: 'hadamard';
  /** Tokens that end a text; may be empty. */
  readonly endTokens: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

const WHERE = 'config.json';
const MODEL_TYPES = ['llama'];

function wrong(expected: string, received: unknown): SpikeError {
  return new SpikeError('INVALID_ARGUMENT', {
    where: WHERE,
    expected,
    received: JSON.stringify(received) ?? 'nothing',
  });
}

function positive(json: Json, name: string, fallback?: number): number {
  const value = json[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw wrong(`${name} to be a number above 0`, value);
  }
  return value;
}

function count(json: Json, name: string, fallback?: number): number {
  const value = positive(json, name, fallback);
  if (!Number.isSafeInteger(value)) throw wrong(`${name} to be a whole number`, value);
  return value;
}

/** Bounded, so that a broken config does not become a list of a billion layers. */
function countLayers(json: Json): number {
  const layers = count(json, 'num_hidden_layers');
  if (layers > 10_000) throw wrong('num_hidden_layers to be at most 10000', layers);
  return layers;
}

function flag(json: Json, name: string): boolean {
  const value = json[name] ?? false;
  if (typeof value !== 'boolean') throw wrong(`${name} to be true or false`, value);
  return value;
}

/**
 * The meaning of a Hugging Face `config.json` of the LLaMA family (LLaMA 1 to 3).
 * Errors: UNSUPPORTED (architecture, activation, rope scaling), INVALID_ARGUMENT (a field that contradicts).
 */
export function parseDecoderConfig(json: Json): DecoderConfig {
  if (!MODEL_TYPES.includes(String(json.model_type))) {
    throw new SpikeError('UNSUPPORTED', {
      where: WHERE,
      expected: `model_type among ${MODEL_TYPES.join(', ')}`,
      received: JSON.stringify(json.model_type) ?? 'nothing',
      remedy: 'only decoders of the LLaMA family can be read',
    });
  }
  if ((json.hidden_act ?? 'silu') !== 'silu') {
    throw new SpikeError('UNSUPPORTED', {
      where: WHERE,
      expected: "hidden_act 'silu'",
      received: JSON.stringify(json.hidden_act) ?? 'nothing',
    });
  }
  const hiddenSize = count(json, 'hidden_size');
  const heads = count(json, 'num_attention_heads');
  const kvHeads = count(json, 'num_key_value_heads', heads);
  if (heads % kvHeads !== 0) {
    throw wrong(`num_attention_heads to be a multiple of num_key_value_heads (${kvHeads})`, heads);
  }
  if (json.head_dim == null && hiddenSize % heads !== 0) {
    throw wrong(`hidden_size to be a multiple of num_attention_heads (${heads})`, hiddenSize);
  }
  const headSize = count(json, 'head_dim', hiddenSize / heads);
  if (headSize % 2 !== 0) throw wrong('an even head size', headSize);
  return {
    family: 'llama',
    hiddenSize,
    intermediateSize: count(json, 'intermediate_size'),
    layers: countLayers(json),
    heads,
    kvHeads,
    headSize,
    vocabularySize: count(json, 'vocab_size'),
    contextLength: count(json, 'max_position_embeddings', 2048),
    normEpsilon: positive(json, 'rms_norm_eps', 1e-6),
    rope: parseRope(json),
    tiedEmbeddings: flag(json, 'tie_word_embeddings'),
    attentionBias: flag(json, 'attention_bias'),
    mlpBias: flag(json, 'mlp_bias'),
    ...parseRotation(json.down_rotation),
    endTokens: parseEndTokens(json.eos_token_id),
  };
}

function parseRotation(value: unknown): Pick<DecoderConfig, 'downRotation'> {
  if (value == null) return {};
  if (value !== 'hadamard') throw wrong("down_rotation 'hadamard', or none", value);
  return { downRotation: value };
}

function parseEndTokens(value: unknown): number[] {
  const ids: unknown[] = value == null ? [] : Array.isArray(value) ? value : [value];
  if (!ids.every((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0)) {
    throw wrong('eos_token_id to be a token id or a list of them', value);
  }
  return ids;
}

/** `rope_scaling` of LLaMA 2 and 3, or the newer `rope_parameters` that holds theta too. */
function parseRope(json: Json): RopeConfig {
  const parameters = (json.rope_parameters ?? {}) as Json;
  const scaling = (json.rope_scaling ?? parameters) as Json;
  const theta = positive({ rope_theta: json.rope_theta ?? parameters.rope_theta }, 'rope_theta', 10000);
  const type = scaling.rope_type ?? scaling.type ?? 'default';
  if (type === 'default') return { theta, scaling: { type: 'none' } };
  if (type === 'linear') return { theta, scaling: { type, factor: positive(scaling, 'factor') } };
  if (type === 'llama3') {
    return {
      theta,
      scaling: {
        type,
        factor: positive(scaling, 'factor'),
        lowFrequencyFactor: positive(scaling, 'low_freq_factor'),
        highFrequencyFactor: positive(scaling, 'high_freq_factor'),
        originalContextLength: count(scaling, 'original_max_position_embeddings'),
      },
    };
  }
  throw new SpikeError('UNSUPPORTED', {
    where: WHERE,
    expected: "rope_scaling of type 'linear' or 'llama3'",
    received: JSON.stringify(type),
  });
}
