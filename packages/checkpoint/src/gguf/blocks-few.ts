/**
 * Blocks of values that are one of two, three or four multiples of a scale.
 * Source: src/ggml-quants.c of ggml.
 *
 * @module
 */
import { half, type DecodeBlock } from './half.ts';

/** Runs of bytes with several trits each: where they begin, how many bytes, how many trits of each byte. */
const TQ1_RUNS = [
  { from: 0, bytes: 32, trits: 5 },
  { from: 32, bytes: 16, trits: 5 },
  { from: 48, bytes: 4, trits: 4 },
];

/**
 * 256 values: 52 bytes of trits, d: d (t - 1). A run of B bytes holds the values m + B n, trit n of byte m. A byte is the
 * fraction 0.t0 t1 t2 ... in base 3, rounded up to 8 bits: times 3^n without what is above 8 bits, then times 3, the
 * trit is what goes beyond them.
 */
export const decodeTq1_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at + 52);
  let next = to;
  for (const { from, bytes: count, trits } of TQ1_RUNS) {
    for (let n = 0, power = 1; n < trits; n++, power *= 3) {
      for (let m = 0; m < count; m++) {
        const rest = (bytes[at + from + m] * power) & 255;
        out[next++] = d * (((rest * 3) >> 8) - 1);
      }
    }
  }
};

/** 256 values: 64 bytes, d: d (q - 1). Each run of 32 bytes holds the values m + 32 n in bits 2n of byte m. */
export const decodeTq2_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at + 64);
  for (let i = 0; i < 256; i++) {
    const byte = bytes[at + ((i >> 7) << 5) + (i & 31)];
    out[to + i] = d * (((byte >> (((i >> 5) & 3) << 1)) & 3) - 1);
  }
};

/** 64 values: d, 16 bytes of four values each: d (q - 1). */
export const decodeQ2_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let i = 0; i < 64; i++) out[to + i] = d * (((bytes[at + 2 + (i >> 2)] >> ((i & 3) << 1)) & 3) - 1);
};

/** 128 values: d, 16 bytes of eight values each: d where the bit is set, else -d. */
export const decodeQ1_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let i = 0; i < 128; i++) out[to + i] = ((bytes[at + 2 + (i >> 3)] >> (i & 7)) & 1) === 1 ? d : -d;
};
