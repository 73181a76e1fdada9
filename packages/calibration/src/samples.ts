import { SpikeError } from '@spikellm/backend';
import { createRandom } from '@spikellm/graph';

/**
 * Calibration windows of a text, drawn as the research code draws them: from Python's `random` with this seed,
 * `start = randint(0, tokens - length - 1)`, windows may overlap.
 * Errors: INVALID_ARGUMENT for a text without one window to draw.
 */
export function sampleWindows(
  ids: readonly number[],
  { samples, length, seed }: { readonly samples: number; readonly length: number; readonly seed: number },
): number[][] {
  const positive = (name: string, value: number): void => {
    if (Number.isSafeInteger(value) && value > 0) return;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: name,
      expected: 'a whole number above 0',
      received: String(value),
    });
  };
  positive('samples', samples);
  positive('seqlen', length);
  if (ids.length < length + 1) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'calibration text',
      expected: `at least ${length + 1} tokens for windows of ${length}`,
      received: `${ids.length}`,
      remedy: 'give a longer text or a smaller --seqlen',
    });
  }
  const random = createRandom(seed);
  return Array.from({ length: samples }, () => {
    const start = random.integer(0, ids.length - length - 1);
    return ids.slice(start, start + length);
  });
}
