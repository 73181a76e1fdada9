/**
 * PB-LLM (arXiv 2310.00034): the weights that cost most to remove, w^2 / U_jj^2, in 8 bits, all others in one. Which is which
 * is decided over the whole matrix before the sweep.
 */
import { clamp, rint } from '@spikellm/backend';
import { weightScores } from '@spikellm/saliency';
import type { FactoredHessian } from '../compensation/factor.ts';
import { gridOfColumns } from '../compensation/grid.ts';
import { toColumns, type ColumnQuantiser } from '../compensation/sweep.ts';

export interface PbLlmSettings {
  /** Share of the weights in one bit: 0.8, 0.9 and 0.95 are published. */
  readonly lowFraction: number;
  /**
   * `faithful` takes mean and size of the one-bit part over whole rows, in which the other weights stand as zeros; `masked`
   * over the one-bit weights alone.
   */
  readonly mean: 'faithful' | 'masked';
}

const HIGH_BITS = 8;

/** @param weights - [O, C] */
export function createPbLlmQuantiser(
  weights: Float32Array,
  hessian: FactoredHessian,
  { lowFraction, mean }: PbLlmSettings,
): ColumnQuantiser {
  const { order, pivots } = hessian;
  const C = order.length;
  const O = weights.length / C;
  const scores = weightScores(weights, pivots);
  const edge = scores.toSorted()[Math.min(scores.length - 1, Math.floor(scores.length * lowFraction))];
  const low = Uint8Array.from(scores, (score) => (score <= edge ? 1 : 0));
  const { scale, zero } = gridOfColumns(toColumns(weights, order), O, { bits: HIGH_BITS, symmetric: false });
  const [mu, alpha] = [new Float32Array(O), new Float32Array(O)];
  for (let o = 0; o < O; o++) {
    const at = Array.from({ length: C }, (_, c) => o * C + c);
    const part = mean === 'masked' ? at.filter((i) => low[i] === 1) : at;
    const average = (of: (i: number) => number): number =>
      part.reduce((sum, i) => sum + of(i), 0) / Math.max(1, part.length);
    const value = (i: number): number => (low[i] === 1 ? weights[i] : 0);
    mu[o] = average(value);
    alpha[o] = average((i) => Math.abs(value(i) - mu[o]));
  }
  return {
    block: 1,
    column(n, values, quantised) {
      for (let o = 0; o < O; o++) {
        const w = values[o];
        const code = clamp(rint(w / scale[o]) + zero[o], 0, 2 ** HIGH_BITS - 1);
        quantised[o] =
          low[o * C + order[n]] === 1 ? mu[o] + alpha[o] * Math.sign(w - mu[o]) : scale[o] * (code - zero[o]);
      }
    },
  };
}

/** Bits of a sign or a code, of the map that says which, and of two numbers a row for either part. */
export const pbLlmBits = (O: number, C: number, { lowFraction: r }: PbLlmSettings): number =>
  O * C * (r + HIGH_BITS * (1 - r) + 1) + O * 4 * 16;

/** What it computes: additions of one step for a sign, of eight for a code. */
export const pbLlmSteps = ({ lowFraction: r }: PbLlmSettings): number => r + HIGH_BITS * (1 - r);
