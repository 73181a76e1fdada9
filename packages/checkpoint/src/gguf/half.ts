import { float16Values } from '@spikellm/backend';

/**
 * Decodes one block: reads its bytes from `at` on and writes its values to `out` from `to` on. All arithmetic before the
 * last sum is exact, since scales of 11 significant bits meet whole numbers of at most 13, so that storing the result as
 * float32 rounds once, as the reference implementations do.
 */
export type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/** The half-precision number of two bytes. */
export const half = (bytes: Uint8Array, at: number): number =>
  float16Values()[bytes[at] | (bytes[at + 1] << 8)];

/** A byte as a number from -128 to 127. */
export const signed = (byte: number): number => (byte << 24) >> 24;
