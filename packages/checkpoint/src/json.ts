import { SpikeError } from '@spikellm/backend';

/** Levels of objects and lists in each other: far more than any file of a model has. */
const MAX_DEPTH = 100;

/**
 * The value of JSON in UTF-8. Nesting is counted before anything is built of it, for a deep one exhausts the stack of
 * whoever walks through it.
 * Errors: CORRUPT_FILE.
 */
export function parseJson(path: string, bytes: Uint8Array, what = 'JSON'): unknown {
  const depth = depthOf(bytes);
  if (depth > MAX_DEPTH) {
    throw new SpikeError('CORRUPT_FILE', {
      where: path,
      expected: `${what} with at most ${MAX_DEPTH} levels of nesting`,
      received: 'more levels',
    });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new SpikeError('CORRUPT_FILE', {
      where: path,
      expected: what,
      received: `${bytes.length} bytes that are not (${(cause as Error).message})`,
      cause,
    });
  }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Array.from('"\\[]{}', (mark) =>
  mark.charCodeAt(0),
);

/** The deepest level, as far as it matters. */
function depthOf(bytes: Uint8Array): number {
  let [depth, deepest] = [0, 0];
  for (let at = 0; at < bytes.length && deepest <= MAX_DEPTH; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return deepest;
}

/** Where the closing quote of a string lies; escapes hide the character behind them. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
