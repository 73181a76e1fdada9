/** Bits that carry the same number of levels: by binary steps, and by GIF steps. */
import { bitsPerActivation, mergedBits } from '@spikellm/neurons';
import { spikeBits } from './neurons.ts';

export interface BitCount {
  /** T: GIF steps. */
  readonly steps: number;
  /** T L: the binary steps that they merge. */
  readonly binarySteps: number;
  /** T L + 1: the codes that both carry. */
  readonly codes: number;
  /** One bit a binary step. */
  readonly binary: number;
  /** T log2 L, the paper's count; none where L is 1. */
  readonly merged: number | null;
  /** T n, with n whole bits for the L + 1 values of a step. */
  readonly stored: number;
  /** n + log2 T: the bits of the code itself. */
  readonly code: number;
}

export function bitCount(steps: number, levels: number): BitCount {
  const binarySteps = steps * levels;
  const { transmitted, information } = bitsPerActivation({ bits: spikeBits(levels), steps, salient: 1 });
  return {
    steps,
    binarySteps,
    codes: binarySteps + 1,
    binary: binarySteps,
    merged: levels === 1 ? null : mergedBits(binarySteps, levels),
    stored: transmitted,
    code: information,
  };
}
