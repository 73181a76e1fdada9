/** In [2^52, 2^53) doubles are the integers: a sum that lands there has rounded its fraction away, half to even. */
const MAGIC = 1.5 * 2 ** 52;

/**
 * The nearest integer; halves go to the even one: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2. Never -0 for |x| <= 2^51; larger
 * numbers come back as they are, since every float32 of that size is an integer already.
 *
 * Every code of the project is rounded like this, as IEEE 754 hardware does; `Math.round` sends halves up.
 */
export const rint = (x: number): number => (Math.abs(x) <= 2 ** 51 ? x + MAGIC - MAGIC : x);

/** x limited to [low, high]. */
export const clamp = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);
