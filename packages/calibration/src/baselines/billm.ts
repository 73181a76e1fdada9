/**
 * BiLLM (arXiv 2402.04291): blocks of 128 columns, in each a few salient columns in two binary passes and the rest in one, on
 * either side of a cut. As published, count and cut are those that reproduce the saliency w^2 / U_jj^2 itself best, and
 * the columns of a block do not see each other's errors. Later blocks take over the errors of earlier ones exactly, where
 * the published code does so to first order.
 */
import type { FactoredHessian } from '../compensation/factor.ts';
import type { ColumnQuantiser } from '../compensation/sweep.ts';
import { binarise, maskedError } from './binary.ts';

const BLOCK = 128;
/** Salient columns of a block that are tried. */
const MOST_SALIENT = 49;
/** Quantiles of the saliency at which the other columns are cut, tried from 0.10 to 0.90. */
const CUTS = Array.from({ length: 81 }, (_, i) => 0.1 + 0.01 * i);

export interface BillmQuantiser extends ColumnQuantiser {
  /** Columns in two passes, of all blocks so far. */
  readonly salientColumns: () => number;
}

export function createBillmQuantiser(O: number, { factor, order }: FactoredHessian): BillmQuantiser {
  const C = order.length;
  let from = 0;
  let block: Float32Array = new Float32Array(0);
  let salient = 0;
  return {
    block: BLOCK,
    salientColumns: () => salient,
    begin(first, last, values) {
      const pivots = Float64Array.from({ length: last - first }, (_, i) => factor[(first + i) * (C + 1)]);
      const result = quantiseBlock(values, pivots, O);
      from = first;
      block = result.quantised;
      salient += result.salient;
    },
    column(n, _, quantised) {
      quantised.set(block.subarray((n - from) * O, (n - from + 1) * O));
    },
  };
}

function quantiseBlock(
  values: Float32Array,
  pivots: Float64Array,
  O: number,
): { quantised: Float32Array; salient: number } {
  const scores = values.map((w, i) => (w * pivots[Math.floor(i / O)]) ** 2);
  const columns = salientColumns(scores, pivots.length, O);
  const ofColumns = columnMask(columns, pivots.length, O);
  const rest = ofColumns.map((bit) => 1 - bit);
  const large = largeMask(scores, rest, O);
  const small = rest.map((bit, i) => bit & (1 - large[i]));
  const parts = [
    binarise(values, ofColumns, O, 2),
    binarise(values, small, O, 1),
    binarise(values, large, O, 1),
  ];
  const quantised = values.map((_, i) => parts[0][i] + parts[1][i] + parts[2][i]);
  return { quantised, salient: columns.length };
}

/** The columns of the greatest scores, as many as reproduce the scores best in two passes on either side. */
function salientColumns(scores: Float32Array, n: number, O: number): number[] {
  const sums = new Float64Array(n);
  scores.forEach((score, i) => (sums[Math.floor(i / O)] += score));
  const ranked = Array.from(sums.keys()).toSorted((a, b) => sums[b] - sums[a] || a - b);
  const all = new Uint8Array(scores.length).fill(1);
  let best = { count: 0, error: Infinity };
  for (let count = 1; count <= Math.min(MOST_SALIENT, n - 1); count++) {
    const inside = columnMask(ranked.slice(0, count), n, O);
    const outside = inside.map((bit) => 1 - bit);
    const [a, b] = [binarise(scores, inside, O, 2), binarise(scores, outside, O, 2)];
    const error = maskedError(
      scores,
      a.map((value, i) => value + b[i]),
      all,
    );
    if (error < best.error) best = { count, error };
  }
  return ranked.slice(0, best.count);
}

const columnMask = (columns: readonly number[], n: number, O: number): Uint8Array => {
  const mask = new Uint8Array(n * O);
  for (const column of columns) mask.fill(1, column * O, (column + 1) * O);
  return mask;
};

/** Of the weights of `rest`, those above the cut that reproduces the scores best in one pass on either side. */
function largeMask(scores: Float32Array, rest: Uint8Array, O: number): Uint8Array {
  const sorted = scores.filter((_, i) => rest[i] === 1).toSorted();
  let best = { error: Infinity, mask: new Uint8Array(scores.length) };
  for (const cut of CUTS) {
    const edge = sorted[Math.floor(cut * (sorted.length - 1))];
    const large = rest.map((bit, i) => (bit === 1 && scores[i] > edge ? 1 : 0));
    const small = rest.map((bit, i) => bit & (1 - large[i]));
    const [a, b] = [binarise(scores, large, O, 1), binarise(scores, small, O, 1)];
    const error = maskedError(
      scores,
      a.map((value, i) => value + b[i]),
      rest,
    );
    if (error < best.error) best = { error, mask: large };
  }
  return best.mask;
}
