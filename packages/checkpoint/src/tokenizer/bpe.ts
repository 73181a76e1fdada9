import { SpikeError } from '@spikellm/backend';
import { utf8Bytes } from './byte-level.ts';
import { byteIds, type Model } from './model.ts';
import type { Place } from './parts.ts';

export interface BpeOptions {
  readonly unk_token?: string | null | undefined;
  readonly continuing_subword_prefix?: string | null | undefined;
  readonly end_of_word_suffix?: string | null | undefined;
  /** Unknown characters in a row are one token. */
  readonly fuse_unk?: boolean | undefined;
  /** A character without a token is spelled in tokens of its bytes. */
  readonly byte_fallback?: boolean | undefined;
  /** A word that is a token as it stands is not merged. */
  readonly ignore_merges?: boolean | undefined;
}

/** Merges by rank: the first of the list goes first. */
interface Merges {
  /** The rank of the merge of two tokens. */
  readonly rankOf: (left: number, right: number) => number | undefined;
  /** The token that a merge makes, by its rank. */
  readonly made: Int32Array;
}

/** Words that are remembered, and how long they are at most. */
const MOST_WORDS = 20_000;
const LONGEST_WORD = 256;

/** Byte-pair encoding. Errors: CORRUPT_FILE for a merge of or into what is no token. */
export function createBpe(
  place: Place,
  ids: ReadonlyMap<string, number>,
  merges: readonly (string | readonly [string, string])[],
  options: BpeOptions,
): Model {
  const prefix = options.continuing_subword_prefix ?? '';
  const suffix = options.end_of_word_suffix ?? '';
  const ranks = readMerges(place, ids, merges, prefix.length);
  const bytes = options.byte_fallback === true ? byteIds(ids) : undefined;
  const unknown = typeof options.unk_token === 'string' ? idOf(place, ids, options.unk_token) : undefined;

  /** Tokens of single characters. */
  const symbolsOf = (word: string): number[] => {
    const symbols: number[] = [];
    let pending = false; // an unknown character that the next one may join
    let first = true;
    let end = 0;
    for (const character of word) {
      end += character.length;
      const symbol = (first ? '' : prefix) + character + (end === word.length ? suffix : '');
      first = false;
      const id = ids.get(symbol);
      if (id !== undefined) {
        if (pending) symbols.push(unknown!);
        pending = false;
        symbols.push(id);
        continue;
      }
      const spelled =
        bytes === undefined ? [undefined] : Array.from(utf8Bytes(symbol), (byte) => bytes[byte]);
      if (!spelled.includes(undefined)) {
        symbols.push(...(spelled as number[]));
      } else if (unknown !== undefined) {
        if (pending && options.fuse_unk !== true) symbols.push(unknown);
        pending = true;
      }
    }
    if (pending) symbols.push(unknown!);
    return symbols;
  };

  const known = new Map<string, number[]>();
  return {
    ids,
    tokenize(word) {
      const whole = options.ignore_merges === true ? ids.get(word) : undefined;
      if (whole !== undefined) return [whole];
      const before = known.get(word);
      if (before !== undefined) return before;
      const tokens = mergeAll(symbolsOf(word), ranks);
      if (known.size >= MOST_WORDS) known.clear();
      if (word.length <= LONGEST_WORD) known.set(word, tokens);
      return tokens;
    },
  };
}

function readMerges(
  place: Place,
  ids: ReadonlyMap<string, number>,
  merges: readonly (string | readonly [string, string])[],
  prefixLength: number,
): Merges {
  const size = 2 ** 26; // above every id
  const ranks = new Map<number, number>();
  const made = new Int32Array(merges.length);
  merges.forEach((merge, rank) => {
    const [left, right] = typeof merge === 'string' ? sidesOf(place, merge) : merge;
    ranks.set(idOf(place, ids, left) * size + idOf(place, ids, right), rank);
    made[rank] = idOf(place, ids, left + right.slice(prefixLength));
  });
  return { rankOf: (left, right) => ranks.get(left * size + right), made };
}

function sidesOf(place: Place, merge: string): [string, string] {
  const sides = merge.split(' ');
  if (sides.length === 2) return sides as [string, string];
  throw corrupt(place, 'merges of two tokens with a space between', merge);
}

function idOf(place: Place, ids: ReadonlyMap<string, number>, token: string): number {
  const id = ids.get(token);
  if (id !== undefined) return id;
  throw corrupt(place, 'merges and unk_token of the vocabulary', token);
}

const corrupt = ({ path, name }: Place, expected: string, received: string): SpikeError =>
  new SpikeError('CORRUPT_FILE', {
    where: `${path}: ${name}`,
    expected,
    received: JSON.stringify(received.slice(0, 80)),
    remedy: 'copy or download the file again',
  });

const POSITIONS = 2 ** 26;

/**
 * Merges neighbours, the lowest rank first and of equal ones the leftmost, until none is left. The queue holds
 * rank * 2^26 + position; an entry counts if the pair at its position still makes the token that it made.
 */
function mergeAll(symbols: number[], { rankOf, made }: Merges): number[] {
  const count = symbols.length;
  if (count < 2) return symbols;
  const next = Int32Array.from(symbols, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const gone = new Uint8Array(count);
  const queue = createQueue();
  const propose = (at: number): void => {
    if (at < 0 || next[at] < 0) return;
    const rank = rankOf(symbols[at], symbols[next[at]]);
    if (rank !== undefined) queue.push(rank * POSITIONS + at);
  };
  for (let at = 0; at < count; at++) propose(at);
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const at = entry % POSITIONS;
    const right = next[at];
    if (gone[at] === 1 || right < 0) continue;
    const rank = rankOf(symbols[at], symbols[right]);
    const token = made[Math.floor(entry / POSITIONS)];
    if (rank === undefined || made[rank] !== token) continue;
    symbols[at] = token;
    gone[right] = 1;
    next[at] = next[right];
    if (next[at] >= 0) previous[next[at]] = at;
    propose(previous[at]);
    propose(at);
  }
  return symbols.filter((_, i) => gone[i] === 0);
}

/** A binary heap: the smallest number comes first. */
function createQueue(): { push(entry: number): void; pop(): number | undefined } {
  const heap: number[] = [];
  return {
    push(entry) {
      let at = heap.length;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (heap[parent] <= entry) break;
        heap[at] = heap[parent];
        at = parent;
      }
      heap[at] = entry;
    },
    pop() {
      const top = heap[0];
      const last = heap.pop();
      if (heap.length === 0 || last === undefined) return top;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = last;
      return top;
    },
  };
}
