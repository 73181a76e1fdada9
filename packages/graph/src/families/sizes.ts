/** The sizes of a decoder, held against each other. */
import type * as v from 'valibot';
import type { DecoderConfig } from '../model.ts';
import { contradiction, count, decoderFields, readEndTokens, readFields, type Json } from './fields.ts';

const fields = { ...decoderFields, intermediate_size: count() };

/** Errors: INVALID_ARGUMENT for a field outside its domain, and for fields that contradict each other. */
export function readSizes(json: Json): DecoderConfig {
  const read: v.InferOutput<v.ObjectSchema<typeof fields, undefined>> = readFields(json, fields);
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
