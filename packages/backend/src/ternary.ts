/**
 * Weights of ternary GIF neurons as the kernels take them. An input channel has T steps; its weight k, a whole number of
 * -T..T, is the sum of T trits of -1, 0, +1, one a step. A row of weights is a row of planes: for each class T in rising
 * order and each step t < T, the t-th trits of the channels with T steps, in channel order. A trit is stored as its value
 * + 1 in two bits, see `packCodes`.
 */
import { gatherOrder, packCodes, packedBytes, unpackCodes } from './codes.ts';
import { SpikeError } from './errors.ts';

/** The most steps a ternary weight may have. */
export const MAX_WEIGHT_STEPS = 7;

/** How many channels have 1, 2, ... steps, up to the most steps that occur. Errors: INVALID_ARGUMENT. */
export function countWeightSteps(steps: ArrayLike<number>, where: string): number[] {
  const counts: number[] = [];
  for (let channel = 0; channel < steps.length; channel++) {
    const T = steps[channel];
    if (!(Number.isInteger(T) && T >= 1 && T <= MAX_WEIGHT_STEPS)) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `weight steps from 1 to ${MAX_WEIGHT_STEPS}`,
        received: `${T} at channel ${channel}`,
      });
    }
    while (counts.length < T) counts.push(0);
    counts[T - 1] += 1;
  }
  return counts;
}

/** Refuses steps that are not as many channels of 1, 2, ... steps as `channels` says. Errors: INVALID_ARGUMENT. */
export function checkWeightSteps(steps: ArrayLike<number>, channels: readonly number[], where: string): void {
  const counts = countWeightSteps(steps, where);
  if (counts.join() === channels.join()) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `weightSteps with ${channels.join(', ')} channels of 1, 2, ... steps, as weightChannels says`,
    received: counts.join(', '),
  });
}

/** Bytes of a row of packed trits. @param channels - how many channels have 1, 2, ... steps */
export const tritBytes = (channels: readonly number[]): number =>
  packedBytes(
    channels.reduce((trits, count, i) => trits + count * (i + 1), 0),
    2,
  );

/** The steps that occur: the weight classes, each with a scale of its own. */
export const weightClasses = (channels: readonly number[]): number[] =>
  channels.flatMap((count, i) => (count > 0 ? [i + 1] : []));

/** For each trit of a row, the channel that it belongs to. */
export function tritChannels(steps: ArrayLike<number>): Int32Array {
  const order = gatherOrder(steps);
  const planes: Int32Array[] = [];
  for (let from = 0, to = 0; from < order.length; from = to) {
    const T = steps[order[from]];
    while (to < order.length && steps[order[to]] === T) to++;
    for (let t = 0; t < T; t++) planes.push(order.subarray(from, to));
  }
  return Int32Array.from(planes.flatMap((plane) => [...plane]));
}

/**
 * Packs weights as the spikes of their neurons: sign(k) in the first |k| steps, 0 after them.
 * Errors: INVALID_ARGUMENT (steps, a weight that is no whole number of -T..T), SHAPE (length of `weights`).
 *
 * @param weights - k [O, C]
 * @param steps - T of each channel, [C], 1 to 7
 * @returns uint8 [O, tritBytes]
 */
export function packTrits(weights: ArrayLike<number>, outputs: number, steps: ArrayLike<number>): Uint8Array {
  const C = steps.length;
  countWeightSteps(steps, 'packTrits');
  if (weights.length !== outputs * C) {
    throw new SpikeError('SHAPE', {
      where: 'packTrits',
      expected: `${outputs} rows of ${C} weights`,
      received: `${weights.length} weights`,
    });
  }
  const channels = tritChannels(steps);
  const codes = new Uint8Array(outputs * channels.length);
  const fired = new Uint8Array(C);
  for (let o = 0, at = 0; o < outputs; o++) {
    fired.fill(0);
    for (const c of channels) {
      const k = weights[o * C + c];
      if (!(Number.isInteger(k) && Math.abs(k) <= steps[c])) {
        throw new SpikeError('INVALID_ARGUMENT', {
          where: 'packTrits',
          expected: `a whole number from ${-steps[c]} to ${steps[c]} for a weight with ${steps[c]} steps`,
          received: `${k} at output ${o}, channel ${c}`,
        });
      }
      codes[at++] = 1 + (fired[c]++ < Math.abs(k) ? Math.sign(k) : 0);
    }
  }
  return packCodes(codes, outputs, channels.length, 2);
}

/** The weights k [O, C] of packed trits: the inverse of {@link packTrits}. */
export function unpackTrits(packed: Uint8Array, outputs: number, steps: ArrayLike<number>): Int8Array {
  const C = steps.length;
  const channels = tritChannels(steps);
  const codes = unpackCodes(packed, outputs, channels.length, 2);
  const weights = new Int8Array(outputs * C);
  for (let o = 0, at = 0; o < outputs; o++) {
    for (const c of channels) weights[o * C + c] += codes[at++] - 1;
  }
  return weights;
}

/** Refuses the two bits 11, which are no trit; the unused bits of a row are 00. Errors: INVALID_ARGUMENT. */
export function checkTrits(packed: ArrayLike<number>, where: string): void {
  for (let i = 0; i < packed.length; i++) {
    if ((packed[i] & (packed[i] >> 1) & 0x55) !== 0) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: 'trits stored as 0, 1 or 2',
        received: `3 in byte ${i}`,
      });
    }
  }
}
