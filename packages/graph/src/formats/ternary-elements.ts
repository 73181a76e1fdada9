/** Ternary weights of which single ones, not all of a channel, have more steps: how a checkpoint packs them. */
import { packCodes, packedBytes, SpikeError, tritBytes, unpackCodes } from '@spikellm/backend';

/** Steps of most weights, and of salient ones. */
export type ElementSteps = readonly [few: number, more: number];

export interface PackedElements {
  /** A bit for each weight, 1 where it is salient: uint8 [O, ceil(C / 8)], packed as codes of 1 bit. */
  readonly salient: Uint8Array;
  /**
   * All trits, in 2 bits as in `packTrits`, without a gap between rows. A row has, for each of the first steps, a trit of
   * every channel, then, for each further step, one of every salient weight; both in channel order.
   */
  readonly trits: Uint8Array;
}

/** Bytes of the trits of `weights` weights of which `salient` are salient. */
export const elementBytes = (weights: number, salient: number, [few, more]: ElementSteps): number =>
  packedBytes(weights * few + salient * (more - few), 2);

/**
 * Packs weights as the spikes of their neurons: sign(k) in the first |k| steps, 0 after them.
 * Errors: INVALID_ARGUMENT for a weight that its steps cannot carry.
 *
 * @param weights - k [O, C]
 * @param salient - 1 where a weight is salient, else 0, [O, C]
 */
export function packElements(
  weights: ArrayLike<number>,
  salient: Uint8Array,
  outputs: number,
  steps: ElementSteps,
): PackedElements {
  const C = salient.length / outputs;
  const [few, more] = steps;
  const count = salient.reduce((sum, bit) => sum + bit, 0);
  const codes = new Uint8Array(salient.length * few + count * (more - few));
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let t = 0; t < more; t++) {
      for (let i = o * C; i < (o + 1) * C; i++) {
        const [k, T] = [weights[i], steps[salient[i]]];
        if (!(Number.isInteger(k) && Math.abs(k) <= T)) throw notAWeight(k, T, o, i - o * C);
        if (t < few || salient[i] === 1) codes[at++] = 1 + (t < Math.abs(k) ? Math.sign(k) : 0);
      }
    }
  }
  return {
    salient: packCodes(salient, outputs, C, 1),
    trits: packCodes(codes, 1, codes.length, 2),
  };
}

const notAWeight = (k: number, T: number, output: number, channel: number): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where: 'packElements',
    expected: `a whole number from ${-T} to ${T} for a weight with ${T} steps`,
    received: `${k} at output ${output}, channel ${channel}`,
  });

/** The map of salient weights, 0 or 1 each, [O, C]. */
export const salientElements = (salient: Uint8Array, outputs: number, C: number): Uint8Array =>
  unpackCodes(salient, outputs, C, 1);

/** Hands over k [C] and the map [C] of one row after the other: the inverse of {@link packElements}. */
export function eachRow(
  { salient, trits }: PackedElements,
  outputs: number,
  C: number,
  [few, more]: ElementSteps,
  use: (k: Int8Array, salient: Uint8Array, output: number) => void,
): void {
  const map = salientElements(salient, outputs, C);
  const k = new Int8Array(C);
  let at = 0;
  const next = (): number => ((trits[at >> 2] >> (2 * (at++ & 3))) & 3) - 1;
  for (let o = 0; o < outputs; o++) {
    const own = map.subarray(o * C, (o + 1) * C);
    k.fill(0);
    for (let t = 0; t < more; t++) {
      for (let c = 0; c < C; c++) if (t < few || own[c] === 1) k[c] += next();
    }
    use(k, own, o);
  }
}

/**
 * The trits as kernels take them: a part for each of the two numbers of steps, every channel in both, 0 where a weight
 * belongs to the other.
 *
 * @returns uint8 [O, tritBytes]
 */
export function elementsAsParts(
  packed: PackedElements,
  outputs: number,
  C: number,
  steps: ElementSteps,
): Uint8Array {
  const [few, more] = steps;
  const bytes = tritBytes([
    [...Array<number>(few - 1).fill(0), C],
    [...Array<number>(more - 1).fill(0), C],
  ]);
  const parts = new Uint8Array(outputs * bytes);
  const codes = new Uint8Array((few + more) * C);
  eachRow(packed, outputs, C, steps, (k, salient, o) => {
    codes.fill(1);
    for (let c = 0; c < C; c++) {
      const first = salient[c] === 1 ? few : 0;
      for (let t = 0; t < Math.abs(k[c]); t++) codes[(first + t) * C + c] = 1 + Math.sign(k[c]);
    }
    parts.set(packCodes(codes, 1, codes.length, 2), o * bytes);
  });
  return parts;
}
