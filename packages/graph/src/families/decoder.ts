/** What the families of the LLaMA kind share: a layer of attention and a gated MLP with norms, and the ends around it. */
import * as v from 'valibot';
import type { Activation } from '@spikellm/backend';
import type { GraphBuilder } from '../ir/builder.ts';
import type { Edge } from '../ir/nodes.ts';
import type { RotaryTable } from '../rotary.ts';
import type { Blueprint } from './family.ts';
import { positive, readFields, unsupported, type Json } from './fields.ts';
import { readRope } from './rope.ts';
import { readSizes } from './sizes.ts';

/** What a family of this kind does in its own way. */
export interface Variant {
  /** Biases of q, k and v, of o, and of the MLP. */
  readonly biases?: { readonly qkv?: boolean; readonly o?: boolean; readonly mlp?: boolean };
  /** Queries and keys are normed before they are rotated: each head by itself, or all heads as one. */
  readonly queryKeyNorms?: 'heads' | 'rows';
  /** Where the norms of attention and MLP are: before them, after them, or both. */
  readonly norms?: keyof typeof NORMS;
  /** What is added to the weights of norms as they are stored. */
  readonly normOffset?: 0 | 1;
  /** Tokens that attention of layer `index` looks back on, its own among them; 0 for all. */
  readonly window?: (index: number) => number;
  /** Theta of the rotary table, where config.json does not say it. */
  readonly theta?: number;
  /** Rotary tables by name, where there are others than one for all layers, `rope`. */
  readonly tables?: Readonly<Record<string, RotaryTable>>;
  /** The table of layer `index`; undefined where it does not rotate. */
  readonly table?: (index: number) => string | undefined;
  readonly activation?: Activation;
  /** Factors of the embeddings, of q . k, of what is added to the residual stream, and of logits. */
  readonly factors?: Readonly<Partial<Record<'embedding' | 'attention' | 'residual' | 'logits', number>>>;
  /** Caps of scores and of logits; 0 for none. */
  readonly caps?: Readonly<Partial<Record<'attention' | 'logits', number>>>;
}

interface LayerParameters {
  readonly window: number;
  readonly table: string | undefined;
}

/** Names of the norms before and after attention, and of those before and after the MLP. */
const NORMS = {
  before: [['input_layernorm'], ['post_attention_layernorm']],
  after: [
    [undefined, 'post_attention_layernorm'],
    [undefined, 'post_feedforward_layernorm'],
  ],
  both: [
    ['input_layernorm', 'post_attention_layernorm'],
    ['pre_feedforward_layernorm', 'post_feedforward_layernorm'],
  ],
} as const;

/** Errors: UNSUPPORTED (activation, rope scaling), INVALID_ARGUMENT (a field that contradicts). */
export function readDecoder(json: Json, variant: Variant): Blueprint<LayerParameters> {
  const { activation = 'silu', factors = {}, caps = {} } = variant;
  if (variant.activation === undefined && (json.hidden_act ?? 'silu') !== 'silu')
    throw unsupported("hidden_act 'silu'", json.hidden_act);
  const config = readSizes(json);
  const { hiddenSize: C, heads, kvHeads, headSize: D, vocabularySize: V, intermediateSize } = config;
  const { rms_norm_eps: eps } = readFields(json, { rms_norm_eps: v.nullish(positive, 1e-6) });
  const { biases = {}, queryKeyNorms, window = () => 0, table = () => 'rope' } = variant;
  const tables = variant.tables ?? { rope: readRope(json, { headSize: D, theta: variant.theta }) };
  const [aroundAttention, aroundMlp] = NORMS[variant.norms ?? 'before'];
  const norm = { eps, offset: variant.normOffset ?? 0 };
  /** x and what `body` makes of it, each behind the norm that is there. */
  const residual = (
    g: GraphBuilder,
    x: Edge,
    [before, after]: readonly (string | undefined)[],
    body: (x: Edge) => Edge,
  ): Edge => {
    const made = body(before === undefined ? x : g.rmsNorm(before, x, norm));
    const normed = after === undefined ? made : g.rmsNorm(after, made, norm);
    return g.add(x, scaled(g, normed, factors.residual));
  };
  return {
    config,
    rotary: tables,
    embed: (g, ids) => scaled(g, g.embedding('model.embed_tokens', ids, V, C), factors.embedding),
    parameters: (index) => ({ window: window(index), table: table(index) }),
    layer(g, x, parameters) {
      const rotate = (from: Edge): Edge => {
        const { table: name } = parameters;
        return name === undefined ? from : g.rotary(from, D, name, tables[name].width);
      };
      /** Queries or keys: normed where the family has that, then rotated. */
      const rotated = (name: 'q' | 'k', from: Edge, own: number): Edge => {
        const flat = g.linear(`self_attn.${name}_proj`, from, own * D, { bias: biases.qkv ?? false });
        if (queryKeyNorms === undefined) return rotate(flat);
        const groups = queryKeyNorms === 'heads' ? own : 1;
        return rotate(g.rmsNorm(`self_attn.${name}_norm`, flat, { ...norm, groups }));
      };
      const h = residual(g, x, aroundAttention, (a) => {
        const q = rotated('q', a, heads);
        const k = rotated('k', a, kvHeads);
        const value = g.linear('self_attn.v_proj', a, kvHeads * D, { bias: biases.qkv ?? false });
        const attended = g.attention('self_attn', q, k, value, {
          heads,
          kvHeads,
          window: parameters.window,
          softcap: caps.attention ?? 0,
          ...(factors.attention !== undefined && { scale: factors.attention }),
        });
        return g.linear('self_attn.o_proj', attended, C, { bias: biases.o ?? false });
      });
      return residual(g, h, aroundMlp, (m) =>
        gatedMlp(g, m, { width: intermediateSize, bias: biases.mlp ?? false, of: activation }),
      );
    },
    head(g, x) {
      const name = config.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head';
      const logits = scaled(g, g.head(name, g.rmsNorm('model.norm', x, norm), V), factors.logits);
      return caps.logits ? g.softcap(logits, caps.logits) : logits;
    },
  };
}

const scaled = (g: GraphBuilder, x: Edge, factor = 1): Edge => (factor === 1 ? x : g.scale(x, factor));

interface Mlp {
  readonly width: number;
  readonly bias: boolean;
  readonly of: Activation;
}

/** down(activation(gate) up). */
function gatedMlp(g: GraphBuilder, x: Edge, { width, bias, of }: Mlp): Edge {
  const gate = g.linear('mlp.gate_proj', x, width, { bias });
  const up = g.linear('mlp.up_proj', x, width, { bias });
  return g.linear('mlp.down_proj', g.gated(of, gate, up), x.width, { bias });
}
