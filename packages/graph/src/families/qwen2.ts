import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { readWindows } from './windows.ts';

/** Qwen2 and Qwen2.5 (arXiv 2407.10671): biases of q, k and v; the upper layers may look back on a window. */
export const qwen2: Family = {
  modelType: 'qwen2',
  title: 'Qwen2, Qwen2.5',
  read: (json) => readDecoder(json, { biases: { qkv: true }, window: readWindows(json) }),
};
