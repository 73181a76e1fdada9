/** What the families of the LLaMA kind share: a layer of attention and a gated MLP behind norms, and the ends around it. */
import * as v from 'valibot';
import type { GraphBuilder } from '../ir/builder.ts';
import type { Edge } from '../ir/nodes.ts';
import type { DecoderConfig } from '../model.ts';
import type { Blueprint } from './family.ts';
import {
  contradiction,
  count,
  decoderFields,
  positive,
  readEndTokens,
  readFields,
  unsupported,
  type Json,
} from './fields.ts';
import { readRope } from './rope.ts';

/** What a family of this kind does in its own way. */
export interface Variant {
  /** Biases of q, k and v, of o, and of the MLP. */
  readonly biases?: { readonly qkv?: boolean; readonly o?: boolean; readonly mlp?: boolean };
  /** Queries and keys of each head are normed before they are rotated. */
  readonly headNorms?: boolean;
  /** Tokens that attention of layer `index` looks back on, its own among them; 0 for all. */
  readonly window?: (index: number) => number;
}

interface LayerParameters {
  readonly window: number;
}

const fields = {
  ...decoderFields,
  intermediate_size: count(),
  rms_norm_eps: v.nullish(positive, 1e-6),
};

/** Errors: UNSUPPORTED (activation, rope scaling), INVALID_ARGUMENT (a field that contradicts). */
export function readDecoder(json: Json, variant: Variant): Blueprint<LayerParameters> {
  if ((json.hidden_act ?? 'silu') !== 'silu') throw unsupported("hidden_act 'silu'", json.hidden_act);
  const read = readFields(json, fields);
  const config = readSizes(json, read);
  const { hiddenSize: C, heads, kvHeads, headSize: D, vocabularySize: V } = config;
  const { biases = {}, headNorms = false, window = () => 0 } = variant;
  const norm = { eps: read.rms_norm_eps };
  return {
    config,
    rotary: { rope: readRope(json, D) },
    embed: (g, ids) => g.embedding('model.embed_tokens', ids, V, C),
    parameters: (index) => ({ window: window(index) }),
    layer(g, x, parameters) {
      /** Queries or keys: of each head normed where the family has that, then rotated. */
      const rotated = (name: 'q' | 'k', from: Edge, groups: number): Edge => {
        const flat = g.linear(`self_attn.${name}_proj`, from, groups * D, { bias: biases.qkv ?? false });
        const normed = headNorms ? g.rmsNorm(`self_attn.${name}_norm`, flat, { ...norm, groups }) : flat;
        return g.rotary(normed, D, 'rope');
      };
      const a = g.rmsNorm('input_layernorm', x, norm);
      const q = rotated('q', a, heads);
      const k = rotated('k', a, kvHeads);
      const value = g.linear('self_attn.v_proj', a, kvHeads * D, { bias: biases.qkv ?? false });
      const attended = g.attention('self_attn', q, k, value, { heads, kvHeads, ...parameters });
      const h = g.add(x, g.linear('self_attn.o_proj', attended, C, { bias: biases.o ?? false }));
      return g.add(h, gatedMlp(g, g.rmsNorm('post_attention_layernorm', h, norm), read, biases.mlp ?? false));
    },
    head: (g, x) =>
      g.head(config.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head', g.rmsNorm('model.norm', x, norm), V),
  };
}

/** down(silu(gate) up). */
function gatedMlp(
  g: GraphBuilder,
  x: Edge,
  { intermediate_size: width }: { readonly intermediate_size: number },
  bias: boolean,
): Edge {
  const gate = g.linear('mlp.gate_proj', x, width, { bias });
  const up = g.linear('mlp.up_proj', x, width, { bias });
  return g.linear('mlp.down_proj', g.gated('silu', gate, up), x.width, { bias });
}

/** The sizes, held against each other. */
function readSizes(json: Json, read: v.InferOutput<v.ObjectSchema<typeof fields, undefined>>): DecoderConfig {
  const { hidden_size: hiddenSize, num_attention_heads: heads } = read;
  const kvHeads = read.num_key_value_heads ?? heads;
  if (heads % kvHeads !== 0)
    throw contradiction(`num_attention_heads to be a multiple of num_key_value_heads (${kvHeads})`, heads);
  if (read.head_dim == null && hiddenSize % heads !== 0)
    throw contradiction(`hidden_size to be a multiple of num_attention_heads (${heads})`, hiddenSize);
  if (read.down_rotation != null && read.down_rotation !== 'hadamard')
    throw contradiction("down_rotation 'hadamard', or none", read.down_rotation);
  return {
    family: String(json.model_type),
    hiddenSize,
    intermediateSize: read.intermediate_size,
    layers: read.num_hidden_layers,
    heads,
    kvHeads,
    headSize: read.head_dim ?? hiddenSize / heads,
    vocabularySize: read.vocab_size,
    contextLength: read.max_position_embeddings,
    tiedEmbeddings: read.tie_word_embeddings,
    ...(read.down_rotation != null && { downRotation: 'hadamard' as const }),
    endTokens: readEndTokens(read.eos_token_id),
  };
}
