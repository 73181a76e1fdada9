import { SpikeError } from '@spikellm/backend';
import { utf8Bytes } from './byte-level.ts';
import { lengthsOf } from './lengths.ts';
import { byteIds, noToken, type Model } from './model.ts';
import type { Place } from './parts.ts';

/** How much less likely an unknown character is than the least likely token, in nats. */
const UNKNOWN_PENALTY = 10;

/**
 * The likeliest tokens of a word, by the path of the highest sum of scores. An unknown character takes part as one token;
 * those in a row are one, which with `byteFallback` is spelled in tokens of its bytes.
 */
export function createUnigram(
  place: Place,
  vocab: readonly (readonly [string, number])[],
  unknown: number | undefined,
  byteFallback: boolean,
): Model {
  if (unknown !== undefined && !(Number.isInteger(unknown) && unknown >= 0 && unknown < vocab.length)) {
    throw new SpikeError('CORRUPT_FILE', {
      where: `${place.path}: ${place.name}`,
      expected: `unk_id below ${vocab.length}`,
      received: String(unknown),
    });
  }
  const ids = new Map(vocab.map(([token], id) => [token, id]));
  const scores = vocab.map(([, score]) => score);
  const unknownScore = scores.reduce((a, b) => Math.min(a, b), Infinity) - UNKNOWN_PENALTY;
  const lengths = lengthsOf(ids.keys());
  const bytes = byteFallback ? byteIds(ids) : undefined;

  /** Where the tokens of the best path begin, by where they end, and which they are. */
  const bestPath = (word: string): { starts: Int32Array; tokens: Int32Array } => {
    const best = new Float64Array(word.length + 1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    const tokens = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      if (starts[end] >= 0 && !(best[start] + score > best[end])) return;
      best[end] = best[start] + score;
      starts[end] = start;
      tokens[end] = id;
    };
    for (let start = 0; start < word.length;) {
      const character = word.codePointAt(start)! > 0xffff ? 2 : 1;
      let single = false;
      for (const length of lengths.get(word.charCodeAt(start)) ?? []) {
        if (start + length > word.length) break;
        const id = ids.get(word.slice(start, start + length));
        if (id === undefined) continue;
        offer(start, start + length, id, scores[id]);
        single ||= length === character;
      }
      if (!single) {
        if (unknown === undefined) throw noToken(place.path, word);
        offer(start, start + character, unknown, unknownScore);
      }
      start += character;
    }
    return { starts, tokens };
  };

  const idsOf = (text: string): number[] => {
    const id = ids.get(text);
    if (id !== undefined) return [id];
    const spelled = bytes === undefined ? [undefined] : Array.from(utf8Bytes(text), (byte) => bytes[byte]);
    return spelled.includes(undefined) ? [unknown!] : (spelled as number[]);
  };

  return {
    ids,
    tokenize(word) {
      const { starts, tokens } = bestPath(word);
      const texts: string[] = [];
      let unknowns = '';
      for (let end = word.length; end > 0; end = starts[end]) {
        const text = word.slice(starts[end], end);
        if (unknown !== undefined && tokens[end] === unknown) {
          unknowns = text + unknowns;
          continue;
        }
        if (unknowns !== '') texts.push(unknowns);
        unknowns = '';
        texts.push(text);
      }
      if (unknowns !== '') texts.push(unknowns);
      return texts.toReversed().flatMap(idsOf);
    },
  };
}
