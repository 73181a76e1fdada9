import type { Protocol } from './protocol.ts';

/** A text as it stands. */
export const text: Protocol = {
  name: 'text',
  description: 'the file as it stands',
  unit: 'files',
  read: (content) => ({ text: content, parts: 1 }),
};
