/**
 * Weights of ternary GIF neurons as the kernels take them. An input channel has T steps; its weight k, a whole number of
 * -T..T, is the sum of T trits of -1, 0, +1, one a step. A row of weights is a row of planes: for each T in rising order
 * and each step t < T, the t-th trits of the channels with T steps, in channel order. A trit is stored as its value
 * + 1 in two bits, see `packCodes`.
 *
 * Columns may come in groups: as many consecutive channels each, but for the last group, which takes what is left. T and
 * group of a channel are its weight class, which has a scale for each output. A weight may be the sum of several parts;
 * every part then has steps and trits for all channels, and channels are counted through all parts, the first part first.
 */
import { gatherOrder, packCodes, packedBytes, unpackCodes } from './codes.ts';
import { SpikeError } from './errors.ts';

/** The most steps a ternary weight may have. */
export const MAX_WEIGHT_STEPS = 7;

/** How many channels of each group of columns have 1, 2, ... steps, up to the most steps that occur in the group. */
export type WeightChannels = readonly (readonly number[])[];

export interface WeightLayout {
  /** Columns of a group; all of them where it is not given. */
  readonly group?: number | undefined;
  /** Parts that a weight is the sum of; 1 where it is not given. */
  readonly parts?: number | undefined;
}

/** Errors: INVALID_ARGUMENT for a group that is not a whole number of columns. */
export function checkWeightGroup(group: number | undefined, where: string): void {
  if (group === undefined || (Number.isSafeInteger(group) && group > 0)) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: 'groups of a whole number of columns, 1 or more',
    received: String(group),
  });
}

/** Channels by their group and steps. @param steps - [P, C]. Errors: INVALID_ARGUMENT. */
export function countWeightSteps(
  steps: ArrayLike<number>,
  where: string,
  { group, parts = 1 }: WeightLayout = {},
): number[][] {
  checkWeightGroup(group, where);
  const C = steps.length / parts;
  const size = group ?? C;
  const counts = Array.from({ length: Math.ceil(C / size) }, (): number[] => []);
  for (let at = 0; at < steps.length; at++) {
    const T = steps[at];
    if (!(Number.isInteger(T) && T >= 1 && T <= MAX_WEIGHT_STEPS)) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `weight steps from 1 to ${MAX_WEIGHT_STEPS}`,
        received: `${T} at channel ${at % C}`,
      });
    }
    const own = counts[Math.floor((at % C) / size)];
    while (own.length < T) own.push(0);
    own[T - 1] += 1;
  }
  return counts;
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** Channels of all parts. */
export const weightsOfRow = (channels: WeightChannels): number => total(channels.map(total));

/** Columns of a group, the last group aside. @param parts - that a weight is the sum of */
export const groupColumns = (channels: WeightChannels, parts: number): number => total(channels[0]) / parts;

/** Refuses steps [P, C] that are not as many channels of 1, 2, ... steps as `channels` says. Errors: INVALID_ARGUMENT. */
export function checkWeightSteps(
  steps: ArrayLike<number>,
  channels: WeightChannels,
  parts: number,
  where: string,
): void {
  const show = (counts: WeightChannels): string => counts.map((own) => own.join(', ')).join(' | ');
  const counts = countWeightSteps(steps, where, { group: groupColumns(channels, parts), parts });
  if (show(counts) === show(channels)) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `weightSteps with ${show(channels)} channels of 1, 2, ... steps, as weightChannels says`,
    received: show(counts),
  });
}

/** Trits of a row. */
export const tritsOfRow = (channels: WeightChannels): number =>
  total(channels.map((counts) => total(counts.map((count, i) => count * (i + 1)))));

/** Bytes of a row of packed trits. */
export const tritBytes = (channels: WeightChannels): number => packedBytes(tritsOfRow(channels), 2);

/** Steps and group of columns that share a scale of each output. */
export interface WeightClass {
  readonly steps: number;
  readonly group: number;
}

/** The weight classes: pairs of steps and a group that occur, by rising steps, then by group. */
export const weightClasses = (channels: WeightChannels): WeightClass[] =>
  Array.from({ length: MAX_WEIGHT_STEPS }, (_, i) =>
    channels.flatMap((counts, group) => (counts[i] > 0 ? [{ steps: i + 1, group }] : [])),
  ).flat();

/** For each channel of all parts the index of its weight class. @param steps - [P, C] */
export function classOfWeights(
  steps: ArrayLike<number>,
  channels: WeightChannels,
  parts: number,
): Int32Array {
  const [C, group] = [steps.length / parts, groupColumns(channels, parts)];
  const indices = new Map(
    weightClasses(channels).map((own, index) => [own.group * (MAX_WEIGHT_STEPS + 1) + own.steps, index]),
  );
  return Int32Array.from(steps, (T, at) =>
    indices.get(Math.floor((at % C) / group) * (MAX_WEIGHT_STEPS + 1) + T)!,
  );
}

/** For each trit of a row, the channel that it belongs to, counted through all parts. */
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
