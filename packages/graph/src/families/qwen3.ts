import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { flag, readFields } from './fields.ts';
import { readWindows } from './windows.ts';

/** Qwen3 (arXiv 2505.09388): queries and keys of each head are normed; heads have a size of their own. */
export const qwen3: Family = {
  modelType: 'qwen3',
  title: 'Qwen3',
  read(json) {
    const { attention_bias: bias } = readFields(json, { attention_bias: flag });
    return readDecoder(json, {
      biases: { qkv: bias, o: bias },
      queryKeyNorms: 'heads',
      window: readWindows(json),
    });
  },
};
