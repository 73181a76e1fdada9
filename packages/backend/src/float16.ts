/** The number that 16 bits mean: sign 1, exponent 5 (bias 15), fraction 10. */
function valueOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

let values: Float32Array | undefined;

/** The values of all 65536 patterns of a half-precision number, by their bits. Not to be written to. */
export const float16Values = (): Float32Array =>
  (values ??= Float32Array.from({ length: 65536 }, (_, bits) => valueOf(bits)));

/** Half-precision numbers, given by their bits, as float32, in `into` or a new array; nothing is lost. */
export function widenFloat16(
  bits: Uint16Array,
  into: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const table = float16Values();
  for (let i = 0; i < bits.length; i++) into[i] = table[bits[i]];
  return into;
}
