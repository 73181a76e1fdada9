import { SpikeError } from '@spikellm/backend';

/** Ids of a word. */
export interface Model {
  /** Errors: UNSUPPORTED for a character that no token has, where nothing stands for the unknown. */
  readonly tokenize: (word: string) => number[];
  /** The tokens; those of Unigram may come twice, and the last one counts. */
  readonly ids: ReadonlyMap<string, number>;
}

export const noToken = (path: string, text: string): SpikeError =>
  new SpikeError('UNSUPPORTED', {
    where: path,
    expected: 'a text of characters that have tokens, since the vocabulary has none for the unknown',
    received: JSON.stringify(text.slice(0, 40)),
  });

/** Ids of the tokens <0x00> to <0xFF>, as far as there are some. */
export const byteIds = (ids: ReadonlyMap<string, number>): (number | undefined)[] =>
  Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
