import { SpikeError } from '@spikellm/backend';
import { createRandom } from '@spikellm/graph';

/** How often windows may draw a token on average: more of them would say nothing new of the text. */
const MOST_TIMES = 64;
/** Windows that are drawn from any text. */
const FEW = 1024;

/**
 * Calibration windows of a text, drawn as the research code draws them: from Python's `random` with this seed,
 * `start = randint(0, tokens - length - 1)`, windows may overlap.
 * Errors: INVALID_ARGUMENT for a text without one window to draw, or for far more windows than it has.
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
  const most = Math.max(FEW, Math.floor((MOST_TIMES * ids.length) / length));
  if (samples > most) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'samples',
      expected: `at most ${most} windows of ${length} from a text of ${ids.length} tokens`,
      received: String(samples),
      remedy: 'take fewer --samples or a longer text',
    });
  }
  const random = createRandom(seed);
  return Array.from({ length: samples }, () => {
    const start = random.integer(0, ids.length - length - 1);
    return ids.slice(start, start + length);
  });
}
