/**
 * Uniform quantisation of weight rows in float32, with learned clipping (LWC) and its gradients.
 *
 * The range of a row is [min, max], NOT extended to hold 0. Asymmetric: S = clamp((max - min) / (2^n - 1), 1e-5, 1e4),
 * z = rint(clamp(-min / S, -1e4, 1e4)). Symmetric: S = max(|min|, |max|) / (2^(n-1) - 1), z = 2^(n-1) - 1.
 * k = clamp(rint(w / S) + z, 0, 2^n - 1), decoded (k - z) S; rint rounds half to even.
 * A group of g weights is a row of its own: hand in [O C / g, g].
 */
import { clamp, rint, SpikeError } from '@spikellm/backend';
import type { HostArena } from '@spikellm/graph';

export interface WeightFormat {
  readonly bits: number;
  readonly symmetric: boolean;
}

/** Clipping of each row before its sigmoid: max <- sigmoid(upper) max, min <- sigmoid(lower) min. */
export interface Clipping {
  readonly upper: ArrayLike<number>;
  readonly lower: ArrayLike<number>;
}

export interface QuantisedRows {
  /** uint8 [rows, columns]. */
  readonly codes: Uint8Array;
  /** float32 [rows]. */
  readonly scale: Float32Array;
  /** int32 [rows]. */
  readonly zero: Int32Array;
}

const f32 = Math.fround;
const sigmoid = (x: number): number => f32(1 / (1 + Math.exp(-x)));

interface RowRange {
  readonly min: number;
  readonly max: number;
  /** After clipping. */
  readonly low: number;
  readonly high: number;
}

function rowRange(w: Float32Array, row: number, columns: number, clipping: Clipping | undefined): RowRange {
  let min = Infinity;
  let max = -Infinity;
  for (let i = row * columns; i < (row + 1) * columns; i++) {
    if (w[i] < min) min = w[i];
    if (w[i] > max) max = w[i];
  }
  if (clipping === undefined) return { min, max, low: min, high: max };
  return {
    min,
    max,
    low: f32(sigmoid(clipping.lower[row]) * min),
    high: f32(sigmoid(clipping.upper[row]) * max),
  };
}

function rowGrid({ low, high }: RowRange, { bits, symmetric }: WeightFormat): [scale: number, zero: number] {
  // A constant row is one code: kept exactly.
  if (low === high) return low === 0 ? [1, 0] : [Math.abs(low), low < 0 ? 1 : 0];
  if (symmetric) {
    const half = 2 ** (bits - 1) - 1;
    return [f32(clamp(f32(Math.max(Math.abs(low), Math.abs(high)) / half), 1e-5, 1e4)), half];
  }
  const scale = f32(clamp(f32(f32(high - low) / (2 ** bits - 1)), 1e-5, 1e4));
  return [scale, rint(clamp(f32(-low / scale), -1e4, 1e4))];
}

/**
 * Quantises [rows, columns] weights, one scale and zero point per row; codes are in memory of `allocate`.
 * Errors: SHAPE when the weights are not whole rows.
 */
export function quantiseRows(
  w: Float32Array,
  columns: number,
  format: WeightFormat,
  clipping?: Clipping,
  allocate: HostArena['allocate'] = (bytes) => new ArrayBuffer(bytes),
): QuantisedRows {
  const rows = checkRows(w, columns);
  const codes = new Uint8Array(allocate(w.length));
  const scale = new Float32Array(rows);
  const zero = new Int32Array(rows);
  const largest = 2 ** format.bits - 1;
  for (let row = 0; row < rows; row++) {
    [scale[row], zero[row]] = rowGrid(rowRange(w, row, columns, clipping), format);
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      codes[i] = clamp(rint(f32(w[i] / scale[row])) + zero[row], 0, largest);
    }
  }
  return { codes, scale, zero };
}

function checkRows(w: Float32Array, columns: number): number {
  if (columns > 0 && w.length % columns === 0) return w.length / columns;
  throw new SpikeError('SHAPE', {
    where: 'weight quantiser',
    expected: `whole rows of ${columns} weights`,
    received: `${w.length} weights`,
  });
}

/** (k - z) S, float32 [rows, columns]. */
export function dequantiseRows({ codes, scale, zero }: QuantisedRows): Float32Array {
  const columns = codes.length / scale.length;
  return Float32Array.from(codes, (code, i) => {
    const row = Math.floor(i / columns);
    return (code - zero[row]) * scale[row];
  });
}

/**
 * Gradients of a loss with respect to the clipping factors, straight through the rounding of w / S and not through that
 * of z: with u = w / S and `in` = 1 where the code is not clamped, dwhat/dS = (k - z) - in u.
 *
 * @param gradient - dL/dwhat [rows, columns]
 * @returns dL/dupper and dL/dlower, each [rows]
 */
export function clippingGradients(
  w: Float32Array,
  columns: number,
  format: WeightFormat,
  clipping: Clipping,
  gradient: Float32Array,
): { readonly upper: Float32Array; readonly lower: Float32Array } {
  const rows = checkRows(w, columns);
  const upper = new Float32Array(rows);
  const lower = new Float32Array(rows);
  const largest = 2 ** format.bits - 1;
  for (let row = 0; row < rows; row++) {
    const range = rowRange(w, row, columns, clipping);
    const [scale, zero] = rowGrid(range, format);
    let byScale = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      const u = f32(w[i] / scale);
      const free = rint(u) + zero;
      const code = clamp(free, 0, largest);
      byScale += gradient[i] * (code - zero - (code === free ? u : 0));
    }
    const [byHigh, byLow] = scaleGradients(range, scale, format);
    const slope = (factor: number): number => sigmoid(factor) * (1 - sigmoid(factor));
    upper[row] = byScale * byHigh * slope(clipping.upper[row]) * range.max;
    lower[row] = byScale * byLow * slope(clipping.lower[row]) * range.min;
  }
  return { upper, lower };
}

/** dS/dhigh and dS/dlow; none where S is clamped. */
function scaleGradients(
  { low, high }: RowRange,
  scale: number,
  { bits, symmetric }: WeightFormat,
): [number, number] {
  if (low === high || scale <= f32(1e-5) || scale >= 1e4) return [0, 0];
  if (!symmetric) return [1 / (2 ** bits - 1), -1 / (2 ** bits - 1)];
  const half = 2 ** (bits - 1) - 1;
  const [atHigh, atLow] = [Math.abs(high), Math.abs(low)];
  const share = (mine: number, other: number): number => (mine > other ? 1 : mine === other ? 0.5 : 0) / half;
  return [Math.sign(high) * share(atHigh, atLow), Math.sign(low) * share(atLow, atHigh)];
}
