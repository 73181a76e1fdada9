/**
 * How far a result may be from the reference: for every element
 * `|got - want| <= absolute + relative * |want| + ofLargest * max |want|`.
 *
 * `ofLargest` is for sums of many terms, whose rounding error follows the size of the terms and not of the sum.
 */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
  readonly ofLargest: number;
}

/** Bit-equal: copies and integer codes. */
export const EXACT: Tolerance = { absolute: 0, relative: 0, ofLargest: 0 };
/** A few float32 roundings of one element. */
export const F32_ELEMENT: Tolerance = { absolute: 1e-7, relative: 2e-6, ofLargest: 0 };
/** A float32 sum over a row, in any order. */
export const F32_SUM: Tolerance = { absolute: 1e-7, relative: 2e-6, ofLargest: 4e-6 };
/** An exact integer sum, then one float32 product per class of steps. */
export const INTEGER_SUM: Tolerance = { absolute: 1e-7, relative: 1e-6, ofLargest: 1e-6 };

/** The first element out of tolerance, or undefined. NaN and infinities match only themselves. */
export function firstDifference(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  { absolute, relative, ofLargest }: Tolerance,
):
  | { readonly index: number; readonly got: number; readonly want: number; readonly allowed: number }
  | undefined {
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const size = Math.abs(want[i]);
    if (size > largest && size < Infinity) largest = size;
  }
  for (let i = 0; i < want.length; i++) {
    const allowed = Number.isFinite(want[i])
      ? absolute + relative * Math.abs(want[i]) + ofLargest * largest
      : 0;
    if (!(Math.abs(got[i] - want[i]) <= allowed) && !Object.is(got[i], want[i])) {
      return { index: i, got: got[i], want: want[i], allowed };
    }
  }
  return undefined;
}
