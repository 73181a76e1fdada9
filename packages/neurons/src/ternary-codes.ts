/**
 * Integer codes of weights, and the ternary spikes that carry them.
 *
 *     k = clamp(rint(w / Delta), -T, T)       encode
 *     s[t] = sign(k) if t < |k|, else 0       unroll
 *     w' = k Delta                            decode
 */
import { checkFinite, checkPositive, checkWhole } from './check.ts';
import { clamp, rint } from '@spikellm/backend';

const f32 = Math.fround;

/**
 * The code of a weight, -steps..steps, in float32 arithmetic. It differs from the count of the neuron only where
 * w / delta is exactly half way: there this rounds to even, and the neuron up.
 * Errors: NOT_FINITE (w), INVALID_ARGUMENT (delta, steps).
 *
 * @param delta - Delta: the value of one level, in the unit of w
 */
export function encodeTernary(w: number, delta: number, steps: number): number {
  checkFinite('encodeTernary', 'w', f32(w));
  checkPositive('encodeTernary', 'delta', f32(delta));
  checkWhole('encodeTernary', 'steps', steps, 1, 65535);
  return clamp(rint(f32(f32(w) / f32(delta))), -steps, steps);
}

/** w' = k Delta, a float32. */
export const decodeTernary = (code: number, delta: number): number => f32(code * f32(delta));

/** The spikes of a code: [steps], each -1, 0 or +1, the sign of the code in its first |code| steps. */
export function unrollTernary(code: number, steps: number): number[] {
  checkWhole('unrollTernary', 'steps', steps, 1, 65535);
  checkWhole('unrollTernary', 'code', code, -steps, steps);
  return Array.from({ length: steps }, (_, t) => (t < Math.abs(code) ? Math.sign(code) : 0));
}
