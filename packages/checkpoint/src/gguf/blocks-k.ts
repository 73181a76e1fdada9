/**
 * Blocks of 256 values in groups of 16 or 32, each with a scale of few bits.
 * Source: src/ggml-quants.c of ggml.
 *
 * @module
 */
import { half, signed, type DecodeBlock } from './half.ts';

/**
 * Two bits of each value: each half of 128 values has 32 bytes, and byte l of them holds values l, l + 32, l + 64 and
 * l + 96 from its lowest bits up.
 */
const twoBits = (bytes: Uint8Array, at: number, i: number): number =>
  (bytes[at + ((i >> 7) << 5) + (i & 31)] >> (((i >> 5) & 3) << 1)) & 3;

/** 16 bytes (scale low, minimum high), 64 bytes of two bits, d, dmin: d s q - dmin m. */
export const decodeQ2K: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at + 80);
  const dmin = half(bytes, at + 82);
  for (let i = 0; i < 256; i++) {
    const pair = bytes[at + (i >> 4)];
    out[to + i] = d * (pair & 15) * twoBits(bytes, at + 16, i) - dmin * (pair >> 4);
  }
};

/** 32 bytes of third bits, 64 bytes of two bits, 12 bytes of scales, d: d (s - 32) (q - 4), q of three bits. */
export const decodeQ3K: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at + 108);
  for (let i = 0; i < 256; i++) {
    const third = (bytes[at + (i & 31)] >> (i >> 5)) & 1;
    const q = twoBits(bytes, at + 32, i) | (third << 2);
    out[to + i] = d * (scaleOfQ3(bytes, at + 96, i >> 4) - 32) * (q - 4);
  }
};

/** Scale k of 16: 8 bytes hold the low halves of k and k + 8, the 4 behind them two high bits of k, k + 4, k + 8, k + 12. */
function scaleOfQ3(bytes: Uint8Array, at: number, k: number): number {
  const low = (bytes[at + (k & 7)] >> (k < 8 ? 0 : 4)) & 15;
  const high = (bytes[at + 8 + (k & 3)] >> ((k >> 2) << 1)) & 3;
  return low | (high << 4);
}

/** d, dmin, 12 bytes of scales, 128 bytes: d s q - dmin m; 32 low halves, then 32 high ones, share a scale and a minimum. */
export const decodeQ4K: DecodeBlock = (bytes, at, out, to) => {
  decodeWithMinima(bytes, at, out, to, (i) => (bytes[at + 16 + nibbleByte(i)] >> nibbleShift(i)) & 15);
};

/** As Q4_K, with 32 bytes of fifth bits before the 128. */
export const decodeQ5K: DecodeBlock = (bytes, at, out, to) => {
  decodeWithMinima(bytes, at, out, to, (i) => {
    const low = (bytes[at + 48 + nibbleByte(i)] >> nibbleShift(i)) & 15;
    return low | (((bytes[at + 16 + (i & 31)] >> (i >> 5)) & 1) << 4);
  });
};

const nibbleByte = (i: number): number => ((i >> 6) << 5) + (i & 31);
const nibbleShift = (i: number): number => ((i >> 5) & 1) << 2;

function decodeWithMinima(
  bytes: Uint8Array,
  at: number,
  out: Float32Array,
  to: number,
  valueOf: (i: number) => number,
): void {
  const d = half(bytes, at);
  const dmin = half(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const [scale, minimum] = scaleAndMinimum(bytes, at + 4, group);
    const factor = d * scale;
    const offset = dmin * minimum;
    for (let i = 32 * group; i < 32 * group + 32; i++) out[to + i] = factor * valueOf(i) - offset;
  }
}

/** Pair j of 8, of 6 bits each: those of 4 to 7 have their upper two bits above those of 0 to 3. */
function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): readonly [number, number] {
  if (j < 4) return [bytes[at + j] & 63, bytes[at + j + 4] & 63];
  const low = bytes[at + j + 4];
  return [(low & 15) | ((bytes[at + j - 4] >> 6) << 4), (low >> 4) | ((bytes[at + j] >> 6) << 4)];
}

/** 128 bytes of low halves, 64 bytes of two high bits, 16 signed scales, d: d s (q - 32). */
export const decodeQ6K: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at + 208);
  for (let i = 0; i < 256; i++) {
    // Each half of 128 values has 64 bytes: their low halves hold the first 64, their high halves the others.
    const low = (bytes[at + ((i >> 7) << 6) + (i & 63)] >> (((i >> 6) & 1) << 2)) & 15;
    const q = low | (twoBits(bytes, at + 128, i) << 4);
    out[to + i] = d * signed(bytes[at + 192 + (i >> 4)]) * (q - 32);
  }
};
