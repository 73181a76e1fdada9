import * as v from 'valibot';
import type { Activation } from '@spikellm/backend';
import type { GraphBuilder } from '../ir/builder.ts';
import type { Edge } from '../ir/nodes.ts';
import type { Blueprint, Family } from './family.ts';
import { count, readFields, unsupported, type Json } from './fields.ts';
import { readSizes } from './sizes.ts';

const ON = v.nullish(v.boolean('to be true or false'), true);
const OFF = v.nullish(v.boolean('to be true or false'), false);
const fields = {
  ffn_dim: count(),
  word_embed_proj_dim: v.nullish(count()),
  do_layer_norm_before: ON,
  ['_remove_final_layer_norm']: OFF,
  enable_bias: ON,
};

const ACTIVATIONS: Readonly<Record<string, Activation>> = { relu: 'relu', gelu: 'gelu' };
/** The first rows of the table of positions are of no token. */
const FIRST_POSITION = 2;

function read(given: Json): Blueprint {
  const own = readFields(given, fields);
  const { do_layer_norm_before: before, enable_bias: bias, ffn_dim: width } = own;
  if (given.layer_norm_elementwise_affine === false)
    throw unsupported('norms with weights', 'layer_norm_elementwise_affine: false');
  const { activation_function: named = 'relu' } = given;
  const activation = ACTIVATIONS[String(named)];
  if (activation === undefined) throw unsupported("activation_function 'relu' or 'gelu'", named);
  const json = { tie_word_embeddings: true, ...given, intermediate_size: width };
  const config = readSizes({ ...json, num_key_value_heads: null, head_dim: null });
  const { hiddenSize: C, heads, vocabularySize: V, contextLength } = config;
  const table = own.word_embed_proj_dim ?? C;
  const norm = { eps: 1e-5, bias: true };
  /** x and what `body` makes of it, with a norm before the body or after the sum. */
  const residual = (g: GraphBuilder, x: Edge, name: string, body: (x: Edge) => Edge): Edge => {
    if (before) return g.add(x, body(g.layerNorm(name, x, norm)));
    return g.layerNorm(name, g.add(x, body(x)), norm);
  };
  return {
    config,
    rotary: {},
    layersPrefix: 'model.decoder.layers.',
    embed(g, ids) {
      const tokens = g.embedding('model.decoder.embed_tokens', ids, V, table);
      const x = table === C ? tokens : g.linear('model.decoder.project_in', tokens, C);
      const rows = contextLength + FIRST_POSITION;
      return g.add(x, g.positions('model.decoder.embed_positions', ids, rows, C, FIRST_POSITION));
    },
    parameters: () => ({}),
    layer(g, x) {
      const linear = (name: string, from: Edge, to: number): Edge => g.linear(name, from, to, { bias });
      const h = residual(g, x, 'self_attn_layer_norm', (a) => {
        const [q, k, value] = ['q', 'k', 'v'].map((name) => linear(`self_attn.${name}_proj`, a, C));
        return linear(
          'self_attn.out_proj',
          g.attention('self_attn', q, k, value, { heads, kvHeads: heads }),
          C,
        );
      });
      return residual(g, h, 'final_layer_norm', (m) =>
        linear('fc2', g.activation(activation, linear('fc1', m, width)), C),
      );
    },
    head(g, x) {
      const isNormed = before && !own['_remove_final_layer_norm'];
      const normed = isNormed ? g.layerNorm('model.decoder.final_layer_norm', x, norm) : x;
      const projected = table === C ? normed : g.linear('model.decoder.project_out', normed, table);
      return g.head(config.tiedEmbeddings ? 'model.decoder.embed_tokens' : 'lm_head', projected, V);
    },
  };
}

/** OPT (arXiv 2205.01068): LayerNorms, learned positions, a ReLU between two linears, biases throughout. */
export const opt: Family = { modelType: 'opt', title: 'OPT', read };
