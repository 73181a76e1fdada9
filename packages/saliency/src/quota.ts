import { SpikeError } from '@spikellm/backend';

const PARTS = 1_000_000_000;

/**
 * How many of `channels` are salient: the smallest whole number that is at least `fraction` of them, so that
 * floor((1 - fraction) channels) stay low, as in the research code. Counted in whole parts per 10^9, so that 0.9 of 10
 * channels leaves 1 and not 0.
 */
export function salientCount(channels: number, fraction: number): number {
  checkFraction(fraction);
  return Math.ceil((channels * Math.round(fraction * PARTS)) / PARTS);
}

/** Errors: INVALID_ARGUMENT unless 0 <= fraction <= 1. */
function checkFraction(fraction: number): void {
  if (fraction >= 0 && fraction <= 1) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'salient fraction',
    expected: 'a number from 0 to 1',
    received: String(fraction),
  });
}

/** Channel indices by falling score; equal scores in channel order. Errors: NOT_FINITE. */
export function rankChannels(scores: ArrayLike<number>): Int32Array {
  for (let channel = 0; channel < scores.length; channel++) {
    if (!Number.isFinite(scores[channel])) {
      throw new SpikeError('NOT_FINITE', {
        where: 'saliency',
        expected: 'finite scores',
        received: `${scores[channel]} at channel ${channel}`,
      });
    }
  }
  return Int32Array.from(scores, (_, channel) => channel).toSorted((a, b) => scores[b] - scores[a] || a - b);
}

/**
 * Spike steps under a quota: the highest scores of this one linear get `steps` steps, all others one.
 *
 * @param scores - [C], signed as the metric gives them
 * @returns steps of each channel, uint8 [C]
 */
export function allocateQuota(scores: ArrayLike<number>, fraction: number, steps: number): Uint8Array {
  const result = new Uint8Array(scores.length).fill(1);
  for (const channel of rankChannels(scores).subarray(0, salientCount(scores.length, fraction))) {
    result[channel] = steps;
  }
  return result;
}
