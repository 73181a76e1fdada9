/**
 * GIF encoding of one group of values in float32, the arithmetic that every spiking kernel shares.
 */
import { maxCode, type GifFormat } from '../codes.ts';
import { clamp, rint } from '../rounding.ts';

const f32 = Math.fround;

/** Scale and zero point of each class, written to scale[at + s] and zero[at + s]. The last two arguments are the group's range. */
export function gifParameters(
  format: GifFormat,
  classes: readonly number[],
  scale: Float32Array,
  zero: Int32Array,
  at: number,
  min: number,
  max: number,
): void {
  const { range } = format;
  const spread = f32(max - min);
  for (let s = 0; s < classes.length; s++) {
    const steps = classes[s];
    if (spread === 0 && range === 'lossless') {
      scale[at + s] = (max === 0 ? 1 : Math.abs(max)) / steps;
      zero[at + s] = max < 0 ? steps : 0;
      continue;
    }
    const counted = range === 'lossless' ? 1 : steps;
    const unit = f32(clamp(f32(spread / maxCode(format, counted)), f32(1e-5), 1e4));
    scale[at + s] = range === 'lossless' ? unit / steps : unit;
    zero[at + s] = rint(clamp(f32(-min / scale[at + s]), -1e4, 1e4));
  }
}

/** The code of x. A constant row needs no case of its own: x / S is its code less its zero point. */
export const gifCode = (x: number, scale: number, zero: number, largest: number): number =>
  clamp(rint(f32(x / scale)) + zero, 0, largest);

/** Smallest and largest of `count` values from `at`, `stride` apart. */
export function extent(x: Float32Array, at: number, count: number, stride: number): [number, number] {
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0, j = at; i < count; i++, j += stride) {
    if (x[j] < min) min = x[j];
    if (x[j] > max) max = x[j];
  }
  return [min, max];
}
