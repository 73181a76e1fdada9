import * as v from 'valibot';
import type { Blueprint, Family } from './family.ts';
import { contradiction, count, readFields, type Json } from './fields.ts';
import { readGemma } from './gemma.ts';
import { readRopes } from './rope.ts';

/** Where config.json does not say it; those with pictures leave much of it out. */
const DEFAULTS = {
  vocab_size: 262208,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  max_position_embeddings: 131072,
};
const THETAS = { full_attention: 1_000_000, sliding_attention: 10_000 };

/** Layers with a window but for every sixth, each kind with a rotary table of its own; queries and keys are normed. */
function read(given: Json): Blueprint {
  const json: Json = { ...DEFAULTS, ...given };
  const {
    head_dim: headSize,
    sliding_window_pattern: older,
    ['_sliding_window_pattern']: newer,
  } = readFields(json, {
    head_dim: count(),
    sliding_window_pattern: v.nullish(count()),
    ['_sliding_window_pattern']: v.nullish(count()),
  });
  const every = older ?? newer ?? 6;
  return readGemma(json, {
    slides: (index) => (index + 1) % every !== 0,
    caps: { attention: 0, logits: 0 },
    own: (kindOf) => ({ queryKeyNorms: 'heads', tables: readRopes(json, headSize, THETAS), table: kindOf }),
  });
}

/** Gemma 3 (arXiv 2503.19786), the text models. */
export const gemma3Text: Family = { modelType: 'gemma3_text', title: 'Gemma 3', read };

/** The text model of one that sees pictures too. */
export const gemma3: Family = {
  modelType: 'gemma3',
  title: 'Gemma 3 with pictures, its text model',
  read(json) {
    const { text_config: text, eos_token_id: end, down_rotation, model_type } = json;
    if (typeof text !== 'object' || text === null) throw contradiction('a text_config', text);
    const { eos_token_id = end, ...own }: Json = text as Json;
    return read({ ...own, eos_token_id, down_rotation, model_type });
  },
};
