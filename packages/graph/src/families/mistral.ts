import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { readWindow } from './windows.ts';

/** Mistral (arXiv 2310.06825): attention of all layers looks back on a window of tokens, or of none. */
export const mistral: Family = {
  modelType: 'mistral',
  title: 'Mistral',
  read(json) {
    const window = readWindow(json);
    return readDecoder(json, { window: () => window });
  },
};
