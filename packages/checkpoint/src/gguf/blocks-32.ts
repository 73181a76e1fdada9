/**
 * Blocks of 32 values. Byte j of 16 holds value j in its low half and value j + 16 in its high half.
 * Source: src/ggml-quants.c of ggml; OCP Microscaling Formats 1.0 for MXFP4.
 *
 * @module
 */
import { half, signed, type DecodeBlock } from './half.ts';

/** d, 16 bytes: d (q - 8). */
export const decodeQ4_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 2 + j];
    out[to + j] = d * ((byte & 15) - 8);
    out[to + j + 16] = d * ((byte >> 4) - 8);
  }
};

/** d, m, 16 bytes: d q + m. */
export const decodeQ4_1: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  const m = half(bytes, at + 2);
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 4 + j];
    out[to + j] = d * (byte & 15) + m;
    out[to + j + 16] = d * (byte >> 4) + m;
  }
};

/** d, 4 bytes with the fifth bit of each value, 16 bytes: d (q - 16). */
export const decodeQ5_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let j = 0; j < 32; j++) out[to + j] = d * (fiveBits(bytes, at + 2, j) - 16);
};

/** d, m, 4 bytes with the fifth bit of each value, 16 bytes: d q + m. */
export const decodeQ5_1: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  const m = half(bytes, at + 2);
  for (let j = 0; j < 32; j++) out[to + j] = d * fiveBits(bytes, at + 4, j) + m;
};

/** Value j of 4 bytes of high bits and 16 of low ones. */
function fiveBits(bytes: Uint8Array, at: number, j: number): number {
  const low = (bytes[at + 4 + (j & 15)] >> (j < 16 ? 0 : 4)) & 15;
  const high = (bytes[at + (j >> 3)] >> (j & 7)) & 1;
  return low | (high << 4);
}

/** d, 32 signed bytes: d q. */
export const decodeQ8_0: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let j = 0; j < 32; j++) out[to + j] = d * signed(bytes[at + 2 + j]);
};

const IQ4_LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** d, 16 bytes: d times one of 16 uneven levels. */
export const decodeIq4Nl: DecodeBlock = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 2 + j];
    out[to + j] = d * IQ4_LEVELS[byte & 15];
    out[to + j + 16] = d * IQ4_LEVELS[byte >> 4];
  }
};

/** Numbers of 4 bits (sign, exponent 2, fraction 1), doubled; the pattern of minus zero is zero. */
const FP4_DOUBLED = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/** An exponent e, 16 bytes: 2^(e - 127) times a number of 4 bits. */
export const decodeMxfp4: DecodeBlock = (bytes, at, out, to) => {
  const d = 2 ** (bytes[at] - 128);
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 1 + j];
    out[to + j] = d * FP4_DOUBLED[byte & 15];
    out[to + j + 16] = d * FP4_DOUBLED[byte >> 4];
  }
};
