import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { factor, flag, readFields } from './fields.ts';

/** Granite 3 (https://github.com/ibm-granite/granite-3.0-language-models): factors of embeddings, scores, sums and logits. */
export const granite: Family = {
  modelType: 'granite',
  title: 'Granite 3',
  read(json) {
    const read = readFields(json, {
      attention_bias: flag,
      mlp_bias: flag,
      embedding_multiplier: factor,
      attention_multiplier: factor,
      residual_multiplier: factor,
      logits_scaling: factor,
    });
    return readDecoder(json, {
      biases: { qkv: read.attention_bias, o: read.attention_bias, mlp: read.mlp_bias },
      factors: {
        embedding: read.embedding_multiplier,
        attention: read.attention_multiplier,
        residual: read.residual_multiplier,
        logits: 1 / read.logits_scaling,
      },
    });
  },
};
