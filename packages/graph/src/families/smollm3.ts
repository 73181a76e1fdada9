import * as v from 'valibot';
import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { contradiction, count, flag, readFields } from './fields.ts';
import { readWindows } from './windows.ts';

/** SmolLM3 (https://huggingface.co/blog/smollm3): every fourth layer does not rotate queries and keys. */
export const smollm3: Family = {
  modelType: 'smollm3',
  title: 'SmolLM3',
  read(json) {
    const read = readFields(json, {
      no_rope_layers: v.nullish(v.array(v.picklist([0, 1], 'to be a list of 0 and 1'), 'to be a list')),
      no_rope_layer_interval: v.nullish(count(), 4),
      num_hidden_layers: count(),
      attention_bias: flag,
      mlp_bias: flag,
    });
    const { no_rope_layers: listed, no_rope_layer_interval: interval, num_hidden_layers: layers } = read;
    if (listed != null && listed.length !== layers)
      throw contradiction(`no_rope_layers to name ${layers} layers`, listed.length);
    const rotates = (index: number): boolean =>
      listed == null ? (index + 1) % interval !== 0 : listed[index] === 1;
    return readDecoder(
      { tie_word_embeddings: true, ...json },
      {
        biases: { qkv: read.attention_bias, o: read.attention_bias, mlp: read.mlp_bias },
        theta: 2_000_000,
        table: (index) => (rotates(index) ? 'rope' : undefined),
        window: readWindows(json, (index) => !rotates(index)),
      },
    );
  },
};
