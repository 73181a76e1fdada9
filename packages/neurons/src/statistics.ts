import { MOST_SPIKE_BITS, SpikeError } from '@spikellm/backend';
import { checkWhole } from './check.ts';
import { unpack, type SpikeTrain } from './spike-train.ts';

/** How much a spike train fires. A spike of m levels counts as m binary spikes, and -1 as one. */
export interface FiringStatistics {
  /** Binary spikes of all steps and channels. */
  readonly total: number;
  /** Binary spikes of one activation: total / C. Each costs one addition per output of a linear layer. */
  readonly perActivation: number;
  /** The fraction of all T * C neuron steps that fire nothing. */
  readonly silent: number;
  /** Binary spikes per channel at each step: [T]. */
  readonly stepRates: Float64Array;
  /** Binary spikes per step of each channel: [C]. */
  readonly channelRates: Float64Array;
}

/** Counts the spikes of a train. */
export function firingStatistics(train: SpikeTrain): FiringStatistics {
  const { steps, channels } = train;
  const stepTotals = new Float64Array(steps);
  const channelTotals = new Float64Array(channels);
  let silentSteps = 0;
  unpack(train).forEach((spikes, i) => {
    stepTotals[Math.floor(i / channels)] += Math.abs(spikes);
    channelTotals[i % channels] += Math.abs(spikes);
    if (spikes === 0) silentSteps++;
  });
  const total = stepTotals.reduce((sum, fired) => sum + fired, 0);
  return Object.freeze({
    total,
    perActivation: total / channels,
    silent: silentSteps / (steps * channels),
    stepRates: stepTotals.map((fired) => fired / channels),
    channelRates: channelTotals.map((fired) => fired / steps),
  });
}

export interface StepAllocation {
  /** n: bits of one spike, 1 to 12. */
  readonly bits: number;
  /** T: steps of a salient channel; the others have one. */
  readonly steps: number;
  /** p: the fraction of channels that are salient, 0 to 1. */
  readonly salient: number;
}

export interface BitsPerActivation {
  /** n ((1 - p) + p T): bits of spikes sent. */
  readonly transmitted: number;
  /** n + p log2 T: bits of the codes that the spikes carry. */
  readonly information: number;
}

/**
 * Average bits of one activation. Errors: INVALID_ARGUMENT.
 *
 * @example
 * bitsPerActivation({ bits: 4, steps: 2, salient: 0.1 }); // { transmitted: 4.4, information: 4.1 }
 */
export function bitsPerActivation({ bits, steps, salient }: StepAllocation): BitsPerActivation {
  checkWhole('bitsPerActivation', 'bits', bits, 1, MOST_SPIKE_BITS);
  checkWhole('bitsPerActivation', 'steps', steps, 1, 256);
  if (!(salient >= 0 && salient <= 1)) {
    const expected = 'salient to be a fraction from 0 to 1';
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'bitsPerActivation',
      expected,
      received: String(salient),
    });
  }
  return Object.freeze({
    transmitted: bits * (1 - salient + salient * steps),
    information: bits + salient * Math.log2(steps),
  });
}

/**
 * Bits of a train after every L of its binary steps, one bit each, are merged into one GIF step:
 * (binarySteps / L) log2 L, the paper's count. (A GIF step has L + 1 values; with L = 2^n - 1 they take n bits.)
 * Errors: INVALID_ARGUMENT.
 */
export function mergedBits(binarySteps: number, levels: number): number {
  checkWhole('mergedBits', 'binarySteps', binarySteps, 1, 2 ** 31 - 1);
  checkWhole('mergedBits', 'levels', levels, 2, 65535);
  return (binarySteps / levels) * Math.log2(levels);
}
