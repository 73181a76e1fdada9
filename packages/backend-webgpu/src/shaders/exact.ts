/** Arithmetic in whole numbers, whose result no driver may round otherwise: float32 division, sums of 64 bits. */
import type { Part } from '../shader.ts';

/**
 * Float32 division to the last bit. WGSL lets `/` be 2.5 units in the last place off; thresholds may not be. An
 * approximate quotient of the significands is put right by its remainder, which is exact modulo 2^32.
 */
export const divide: Part = {
  code: /* wgsl */ `
struct Parts { significand: u32, exponent: i32 }

// A number above 0 is significand 2^(exponent - 150), with 24 bits of significand.
fn partsOf(bits: u32) -> Parts {
  let exponent = (bits >> 23u) & 255u;
  let fraction = bits & 0x7fffffu;
  if (exponent > 0u) { return Parts(fraction | 0x800000u, i32(exponent)); }
  let shift = countLeadingZeros(fraction) - 8u;
  return Parts(fraction << shift, 1 - i32(shift));
}

// The bits of a / b, as IEEE 754 has it: nearest, ties to even, subnormal numbers too. b is above 0 and finite.
fn divide(a: u32, b: u32) -> u32 {
  let sign = a & 0x80000000u;
  let size = a & 0x7fffffffu;
  if (size == 0u || size >= 0x7f800000u) { return a; }
  let top = partsOf(size);
  let bottom = partsOf(b);
  var significand = top.significand;
  var exponent = top.exponent - bottom.exponent + 127;
  if (significand < bottom.significand) {
    significand <<= 1u;
    exponent--;
  }
  // The quotient is in [1, 2); q holds 24 bits of it behind the point, r is what q leaves: a tie needs r = 0.
  var q = u32(f32(significand) / f32(bottom.significand) * 16777216.0);
  var r = i32((significand << 24u) - q * bottom.significand);
  let divisor = i32(bottom.significand);
  while (r < 0) { q--; r += divisor; }
  while (r >= divisor) { q++; r -= divisor; }
  if (exponent >= 255) { return sign | 0x7f800000u; }
  if (exponent >= 1) { return sign | ((u32(exponent - 1) << 23u) + (q >> 1u) + (q & 1u)); }
  let dropped = u32(2 - exponent);
  if (dropped > 25u) { return sign; }
  let kept = q >> dropped;
  let rest = q & ((1u << dropped) - 1u);
  let half = 1u << (dropped - 1u);
  let up = rest > half || (rest == half && (r > 0 || (kept & 1u) == 1u));
  return sign | (kept + u32(up));
}
`,
};

/** Whole numbers of 64 bits as (low, high) words, in two's complement. */
export const wide: Part = {
  code: /* wgsl */ `
fn multiplyWide(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross = (a >> 16u) * (b & 0xffffu);
  let other = (a & 0xffffu) * (b >> 16u);
  let middle = (low >> 16u) + (cross & 0xffffu) + (other & 0xffffu);
  return vec2u((middle << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u) + (middle >> 16u));
}
fn addWide(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + u32(low < a.x));
}
fn negateWide(a: vec2u) -> vec2u { return addWide(~a, vec2u(1u, 0u)); }
fn multiplySigned(a: i32, b: u32) -> vec2u {
  let product = multiplyWide(u32(abs(a)), b);
  if (a < 0) { return negateWide(product); }
  return product;
}
fn floatOfWide(a: vec2u) -> f32 {
  let negative = (a.y >> 31u) == 1u;
  let size = select(a, negateWide(a), negative);
  let value = f32(size.y) * 4294967296.0 + f32(size.x);
  return select(value, -value, negative);
}
`,
};
