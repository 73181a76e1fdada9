import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { flag, readFields } from './fields.ts';

/** LLaMA 1 to 3, and what others trained in its shape (arXiv 2302.13971). */
export const llama: Family = {
  modelType: 'llama',
  title: 'LLaMA 1 to 3, SmolLM2',
  read(json) {
    const { attention_bias: attention, mlp_bias: mlp } = readFields(json, {
      attention_bias: flag,
      mlp_bias: flag,
    });
    return readDecoder(json, { biases: { qkv: attention, o: attention, mlp } });
  },
};
