/**
 * Random bytes, fast: four rounds of xorshift128 (Marsaglia, 2003) seeded by a multiplicative hash.
 *
 * @param seed - a whole number from 0 to 2^32 - 1
 */
export function randomBytes(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let [x, y, z, w] = [1, 2, 3, 4].map((place) => Math.imul(seed + place, 2654435761) >>> 0 || place);
  for (let i = 0; i < words.length; i++) {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    words[i] = w;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Bytes of four trits, each of -1, 0 and 1 as likely as the others but for one part in 256; see `packTrits`. */
export function randomTrits(length: number, seed: number): Uint8Array {
  const bytes = randomBytes(length, seed);
  const ofFour = Uint8Array.from({ length: 256 }, (_, number) =>
    [0, 1, 2, 3].reduce((byte, place) => byte | ((Math.floor(number / 3 ** place) % 3) << (2 * place)), 0),
  );
  for (let i = 0; i < length; i++) bytes[i] = ofFour[bytes[i] % 81];
  return bytes;
}

/** Random numbers in [-1, 1) of 16 bits. */
export function randomFloats(length: number, seed: number): Float32Array {
  const whole = new Int16Array(randomBytes(2 * length, seed).buffer, 0, length);
  const floats = new Float32Array(length);
  for (let i = 0; i < length; i++) floats[i] = whole[i] / 32768;
  return floats;
}

/** `length` bytes that repeat `block`: a part of it where it is long enough, else a copy. */
export function repeated(block: Uint8Array, length: number): Uint8Array {
  if (length <= block.length) return block.subarray(0, length);
  const whole = new Uint8Array(length);
  whole.set(block);
  for (let done = block.length; done < length; done *= 2) whole.copyWithin(done, 0, length - done);
  return whole;
}
