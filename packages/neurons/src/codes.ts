/**
 * Integer codes of activations: from a float32 value to a code, to the spikes of a GIF neuron, and back.
 *
 *     k = clamp(rint(x / S) + z, 0, maxCode)    encode
 *     s[t] = min(k - s[0] - ... - s[t-1], L)    unroll
 *     k = sum of s[t]                           count
 *     x' = (k - z) S                            decode
 *
 * x is rounded once, in `encode`; the neuron only spends the code. All arithmetic is float32, so that codes are
 * bit-equal on every backend.
 */
import { clamp, maxCode, MOST_SPIKE_BITS, rint, SpikeError, type GifRange } from '@spikellm/backend';
import { checkFinite, checkWhole } from './check.ts';

const f32 = Math.fround;

export interface GifOptions {
  /** n: a step emits 0..2^n - 1, n from 1 to 12. */
  readonly bits: number;
  /** T: steps of the spike train, 1 to 256 and 1 by default; a power of two for the published range. */
  readonly steps?: number;
  /**
   * - `lossless`, the default: codes 0..T(2^n - 1), which T steps can carry; the scale is that of one step over T.
   * - `saturating`: codes 0..2^(n + log2 T) - 1 as in the research code, of which the top T - 1 saturate.
   */
  readonly range?: GifRange;
}

/** An affine code: x = (code - zeroPoint) scale. */
export interface GifParameters {
  /** S: a float32, the value of one level, in the unit of x. */
  readonly scale: number;
  /** z: the code of 0, a whole number; outside 0..maxCode where the values do not reach 0. */
  readonly zeroPoint: number;
  readonly maxCode: number;
}

/**
 * The code of values in [min, max] (asymmetric min/max quantiser of the research code):
 *
 *     S = clamp((max - min) / (2^n - 1), 1e-5, 1e4) / T     lossless
 *     S = clamp((max - min) / (2^n T - 1), 1e-5, 1e4)       published
 *     z = rint(clamp(-min / S, -1e4, 1e4))
 *
 * A constant c = min = max: in the lossless range S = |c| / T (1 / T for c = 0), and c itself comes back where T is a
 * power of two; in the published range |x| > 0.1 comes back as about 0.1, as in the research code.
 *
 * Errors: INVALID_ARGUMENT (bits, steps, range, min above max), NOT_FINITE (min, max, as float32).
 *
 * @example
 * gifParameters(-1.03, 1.97, { bits: 4, steps: 2 }); // { scale: 0.1 as float32, zeroPoint: 10, maxCode: 30 }
 */
export function gifParameters(min: number, max: number, options: GifOptions): GifParameters {
  const { bits, steps = 1, range = 'lossless' } = options;
  checkWhole('gifParameters', 'bits', bits, 1, MOST_SPIKE_BITS);
  checkWhole('gifParameters', 'steps', steps, 1, 256);
  if (range !== 'lossless' && range !== 'saturating') {
    const expected = "range to be 'lossless' or 'saturating'";
    throw new SpikeError('INVALID_ARGUMENT', { where: 'gifParameters', expected, received: String(range) });
  }
  if (range === 'saturating' && !Number.isInteger(Math.log2(steps))) {
    const expected = 'steps to be a power of two in the published range';
    throw new SpikeError('INVALID_ARGUMENT', { where: 'gifParameters', expected, received: String(steps) });
  }
  const low = f32(min);
  const high = f32(max);
  checkFinite('gifParameters', 'min', low);
  checkFinite('gifParameters', 'max', high);
  if (low > high) {
    const expected = 'min to be at most max';
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'gifParameters',
      expected,
      received: `${min} and ${max}`,
    });
  }

  const largest = maxCode({ bits, range }, steps);
  if (range === 'lossless' && low === high) {
    const scale = f32((low === 0 ? 1 : Math.abs(low)) / steps);
    return Object.freeze({ scale, zeroPoint: low < 0 ? steps : 0, maxCode: largest });
  }
  // In the lossless range one scale serves a whole layer: a channel of T steps has that of one step over T.
  const counted = range === 'lossless' ? 1 : steps;
  const unit = clamp(f32(f32(high - low) / maxCode({ bits, range }, counted)), f32(1e-5), 1e4);
  const scale = f32(unit / (steps / counted));
  const zeroPoint = rint(clamp(f32(-low / scale), -1e4, 1e4));
  return Object.freeze({ scale, zeroPoint, maxCode: largest });
}

/** k = clamp(rint(x / S) + z, 0, maxCode); x counts as float32. Errors: NOT_FINITE (x). */
export function encode(x: number, { scale, zeroPoint, maxCode: largest }: GifParameters): number {
  checkFinite('encode', 'x', f32(x));
  return clamp(rint(f32(f32(x) / scale)) + zeroPoint, 0, largest);
}

/** x' = (k - z) S, a float32. Errors: INVALID_ARGUMENT for a code outside 0..maxCode. */
export function decode(code: number, { scale, zeroPoint, maxCode: largest }: GifParameters): number {
  checkWhole('decode', 'code', code, 0, largest);
  return f32((code - zeroPoint) * scale);
}

/**
 * The spikes of a GIF neuron of `levels` levels that is charged once with `code`: [steps], each 0..levels. It fires
 * all it can from the first step on. A code above steps * levels saturates; {@link residual} is what it loses.
 *
 * @example
 * unroll(20, 2, 15); // [15, 5]
 */
export function unroll(code: number, steps: number, levels: number): number[] {
  checkTrain('unroll', code, steps, levels);
  return Array.from({ length: steps }, (_, t) => clamp(code - t * levels, 0, levels));
}

/**
 * The charge that `steps` steps leave behind: max(0, code - steps * levels). It is 0 for every code of the lossless
 * range. In the published range the top 2^a - 1 codes (T = 2^a steps) leave 1 .. 2^a - 1: a token's largest salient
 * values. With n = 4 and T = 2, code 31 fires 15 + 15 and leaves 1.
 */
export function residual(code: number, steps: number, levels: number): number {
  checkTrain('residual', code, steps, levels);
  return Math.max(0, code - steps * levels);
}

/** What a spike train says: the sum of its spikes, which is its code. */
export function count(spikes: ArrayLike<number>): number {
  let sum = 0;
  for (let t = 0; t < spikes.length; t++) sum += spikes[t];
  return sum;
}

function checkTrain(where: string, code: number, steps: number, levels: number): void {
  checkWhole(where, 'code', code, 0, 2 ** 31 - 1);
  checkWhole(where, 'steps', steps, 1, 65535);
  checkWhole(where, 'levels', levels, 1, 65535);
}
