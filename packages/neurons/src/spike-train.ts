import { packCodes, packedBytes, SpikeError, unpackCodes } from '@spikellm/backend';
import { checkWhole } from './check.ts';
import { unroll } from './codes.ts';
import { unrollTernary } from './ternary-codes.ts';

export interface SpikeShape {
  /** T. */
  readonly steps: number;
  /** C. */
  readonly channels: number;
  /** n: bits of one spike, 1 to 8. */
  readonly bits: number;
  /** Whether spikes are -2^(n-1)..2^(n-1) - 1, in two's complement, or 0..2^n - 1. */
  readonly signed: boolean;
}

/**
 * The spikes of C channels over T steps, n bits each: binary trains have n = 1, ternary ones are signed with n = 2.
 * Step t is a row of ceil(C n / 8) bytes; spike c of it takes the bits [c n, (c + 1) n) of the row, low bits first.
 */
export interface SpikeTrain extends SpikeShape {
  readonly packed: Uint8Array;
}

/**
 * Packs spikes [T, C], step by step, without loss.
 * Errors: INVALID_ARGUMENT (shape, a spike that n bits cannot hold), SHAPE (length of `spikes`).
 */
export function pack(spikes: ArrayLike<number>, { steps, channels, bits, signed }: SpikeShape): SpikeTrain {
  checkWhole('pack', 'steps', steps, 1, 65535);
  checkWhole('pack', 'channels', channels, 1, 2 ** 31 - 1);
  checkWhole('pack', 'bits', bits, 1, 8);
  if (spikes.length !== steps * channels) {
    const expected = `${steps} steps of ${channels} channels, ${steps * channels} spikes`;
    throw new SpikeError('SHAPE', { where: 'pack', expected, received: String(spikes.length) });
  }
  const least = signed ? -(2 ** (bits - 1)) : 0;
  const mask = 2 ** bits - 1;
  const fields = new Uint8Array(spikes.length);
  for (let i = 0; i < spikes.length; i++) {
    checkWhole('pack', `spike ${i}`, spikes[i], least, least + mask);
    fields[i] = spikes[i] & mask;
  }
  const packed = packCodes(fields, steps, channels, bits);
  return Object.freeze({ steps, channels, bits, signed, packed });
}

/** The spikes of a train: [T, C], step by step. Errors: SHAPE (`packed` is not as long as the shape says). */
export function unpack({ steps, channels, bits, signed, packed }: SpikeTrain): Int16Array {
  const bytes = steps * packedBytes(channels, bits);
  if (packed.length !== bytes) {
    const expected = `${bytes} bytes for ${steps} steps of ${channels} channels of ${bits} bits`;
    throw new SpikeError('SHAPE', { where: 'unpack', expected, received: String(packed.length) });
  }
  const fields = unpackCodes(packed, steps, channels, bits);
  const signBit = signed ? 2 ** (bits - 1) : 0;
  return Int16Array.from(fields, (field) => (field ^ signBit) - signBit);
}

/** The train of GIF neurons of 2^bits - 1 levels charged with `codes` [C]; codes above T(2^n - 1) saturate. */
export function gifTrain(
  codes: ArrayLike<number>,
  { steps, bits }: Pick<SpikeShape, 'steps' | 'bits'>,
): SpikeTrain {
  const spikes = stepRows(codes, steps, (code) => unroll(code, steps, 2 ** bits - 1));
  return pack(spikes, { steps, channels: codes.length, bits, signed: false });
}

/** The train of ternary neurons charged with `codes` [C], each -T..T. */
export function ternaryTrain(codes: ArrayLike<number>, { steps }: Pick<SpikeShape, 'steps'>): SpikeTrain {
  const spikes = stepRows(codes, steps, (code) => unrollTernary(code, steps));
  return pack(spikes, { steps, channels: codes.length, bits: 2, signed: true });
}

/** The code of each channel, the sum of its spikes over all steps: [C]. */
export function counts(train: SpikeTrain): Int32Array {
  const codes = new Int32Array(train.channels);
  unpack(train).forEach((spikes, i) => (codes[i % train.channels] += spikes));
  return codes;
}

function stepRows(codes: ArrayLike<number>, steps: number, spikesOf: (code: number) => number[]): Int16Array {
  const spikes = new Int16Array(steps * codes.length);
  for (let c = 0; c < codes.length; c++) {
    spikesOf(codes[c]).forEach((fired, t) => (spikes[t * codes.length + c] = fired));
  }
  return spikes;
}
