import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { flag, readFields } from './fields.ts';

/** OLMo 2 (arXiv 2501.00656): norms after attention and MLP, and of all queries and all keys as one row each. */
export const olmo2: Family = {
  modelType: 'olmo2',
  title: 'OLMo 2',
  read(json) {
    const { attention_bias: bias } = readFields(json, { attention_bias: flag });
    return readDecoder(
      { rms_norm_eps: 1e-5, ...json },
      { biases: { qkv: bias, o: bias }, queryKeyNorms: 'rows', norms: 'after' },
    );
  },
};
