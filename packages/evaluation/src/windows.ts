import { SpikeError } from '@spikellm/backend';

/** Which part of a text is looked at. */
export interface WindowOptions {
  /** Tokens in a window. */
  readonly window: number;
  /** Windows at most; the default is all that fit. */
  readonly maxWindows?: number | undefined;
  /** Windows to leave out at the beginning of the text. */
  readonly skipWindows?: number | undefined;
  /** A token that each window begins with; so much less of the text is in it. Default: none. */
  readonly head?: number | undefined;
}

/**
 * Cuts a tokenised text into windows that do not overlap; the tail that fills no window is dropped.
 * Errors: INVALID_ARGUMENT for an option outside its domain or a text without a window to return.
 */
export function cutWindows(
  ids: readonly number[],
  { window, maxWindows = Infinity, skipWindows = 0, head }: WindowOptions,
): number[][] {
  const must = (holds: boolean, where: string, expected: string, received: unknown): void => {
    if (!holds) throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(received) });
  };
  must(Number.isSafeInteger(window) && window >= 2, 'window', 'a whole number of 2 or more tokens', window);
  must(Number.isSafeInteger(skipWindows) && skipWindows >= 0, 'skipWindows', 'a whole number', skipWindows);
  must(
    maxWindows === Infinity || (Number.isSafeInteger(maxWindows) && maxWindows >= 1),
    'maxWindows',
    'a whole number above 0',
    maxWindows,
  );
  const step = head === undefined ? window : window - 1;
  const found = Math.floor(ids.length / step);
  if (found <= skipWindows) {
    const needed = skipWindows === 0 ? 'one window' : `${skipWindows + 1} windows`;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'text',
      expected: `at least ${(skipWindows + 1) * step} tokens (${needed} of ${window})`,
      received: String(ids.length),
      remedy: 'take a longer text or a smaller window',
    });
  }
  const count = Math.min(found - skipWindows, maxWindows);
  return Array.from({ length: count }, (_, i) => {
    const part = ids.slice((skipWindows + i) * step, (skipWindows + i + 1) * step);
    return head === undefined ? part : [head, ...part];
  });
}
