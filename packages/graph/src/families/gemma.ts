/** What the Gemma families share (arXiv 2403.08295): scaled embeddings, norms of weight 1 + w on both sides, a GELU gate. */
import * as v from 'valibot';
import { readDecoder, type Variant } from './decoder.ts';
import type { Blueprint } from './family.ts';
import { positive, readFields, unsupported, type Json } from './fields.ts';
import { readLayerKinds, readWindow, type LayerKind } from './windows.ts';

const DEFAULTS = { head_dim: 256, tie_word_embeddings: true };

/** Significant bits of the types that weights are stored in. */
const BITS: Readonly<Record<string, number>> = { bfloat16: 8, float16: 11 };

/** The size of an embedding's factor, in the precision of the weights, in which these models were trained. */
function embeddingFactor(hiddenSize: number, dtype: unknown): number {
  const factor = Math.sqrt(hiddenSize);
  const bits = BITS[String(dtype)];
  if (bits === undefined) return Math.fround(factor);
  const unit = 2 ** (Math.floor(Math.log2(factor)) + 1 - bits);
  return Math.round(factor / unit) * unit;
}

/** Where the layers of one generation differ. */
export interface Generation {
  /** Whether a layer has the window, where `layer_types` does not say it. */
  readonly slides: (index: number) => boolean;
  /** Caps, where config.json does not say them; null is none. */
  readonly caps: { readonly attention: number; readonly logits: number };
  readonly own?: (kindOf: (index: number) => LayerKind) => Variant;
}

/** Errors: UNSUPPORTED, INVALID_ARGUMENT. */
export function readGemma(given: Json, { slides, caps, own }: Generation): Blueprint {
  const json: Json = { ...DEFAULTS, ...given };
  const activation = json.hidden_activation ?? 'gelu_pytorch_tanh';
  if (activation !== 'gelu_pytorch_tanh')
    throw unsupported("hidden_activation 'gelu_pytorch_tanh'", activation);
  if (json.use_bidirectional_attention === true)
    throw unsupported('attention to what came before', 'use_bidirectional_attention');
  const cap = (usual: number) => v.optional(v.nullable(positive), usual || null);
  const read = readFields(json, {
    hidden_size: positive,
    query_pre_attn_scalar: v.nullish(positive, 256),
    attn_logit_softcapping: cap(caps.attention),
    final_logit_softcapping: cap(caps.logits),
  });
  const window = readWindow(json);
  const kindOf = readLayerKinds(json, slides);
  const blueprint = readDecoder(json, {
    norms: 'both',
    normOffset: 1,
    activation: 'gelu_tanh',
    window: (index) => (kindOf(index) === 'sliding_attention' ? window : 0),
    factors: {
      embedding: embeddingFactor(read.hidden_size, json.dtype ?? json.torch_dtype),
      attention: read.query_pre_attn_scalar ** -0.5,
    },
    caps: { attention: read.attn_logit_softcapping ?? 0, logits: read.final_logit_softcapping ?? 0 },
    ...own?.(kindOf),
  });
  return { ...blueprint, config: { ...blueprint.config, needsBos: true } };
}
