import type { Family } from './family.ts';
import { readGemma } from './gemma.ts';

/** Gemma 2 (arXiv 2408.00118): soft caps of scores and logits; every other layer looks back on a window. */
export const gemma2: Family = {
  modelType: 'gemma2',
  title: 'Gemma 2',
  read: (json) =>
    readGemma(json, { slides: (index) => index % 2 === 0, caps: { attention: 50, logits: 30 } }),
};
