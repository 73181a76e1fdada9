/** RMSNorm to the bits that float64 sums give: what encodes its result must see the same numbers everywhere. */
import type { Part } from '../shader.ts';
import { wide } from './exact.ts';
import { cells } from './groups.ts';

/**
 * r = 1 / sqrt(mean x^2 + eps) of a row of x (bits of float32), rounded once. Squares are summed in 96 bits below the
 * largest exponent of the row. r is the float32 R whose neighbouring midpoints h satisfy h^2 (sum + C eps) <> C; an
 * approximation is moved until that holds. Params C and eps, a float64 in two words; cells 0 to 4.
 */
export const norm: Part = {
  needs: [wide, cells],
  code: /* wgsl */ `
// (high 2^32 + low) 2^exponent with high in [2^30, 2^31), or 0.
struct Size { high: u32, low: u32, exponent: i32 }

fn shiftDown(a: vec3u, by: u32) -> vec3u {
  var words = a;
  for (var moved = by / 32u; moved > 0u; moved = min(moved - 1u, 2u)) { words = vec3u(words.y, words.z, 0u); }
  let bits = by % 32u;
  if (bits == 0u) { return words; }
  return vec3u((words.x >> bits) | (words.y << (32u - bits)), (words.y >> bits) | (words.z << (32u - bits)), words.z >> bits);
}
fn addWords(a: vec3u, b: vec3u) -> vec3u {
  let low = addWide(a.xy, b.xy);
  let carry = low.y < a.y || (low.y == a.y && low.x < a.x);
  return vec3u(low, a.z + b.z + u32(carry));
}
fn sizeOf(words: vec3u, exponent: i32) -> Size {
  var a = words;
  var moved = exponent + 32;
  if (all(a == vec3u())) { return Size(0u, 0u, -10000); }
  if ((a.z >> 31u) == 1u) {
    a = shiftDown(a, 1u);
    moved += 1;
  }
  while (a.z < 0x40000000u) {
    a = vec3u(a.x << 1u, (a.y << 1u) | (a.x >> 31u), (a.z << 1u) | (a.y >> 31u));
    moved -= 1;
  }
  return Size(a.z, a.y, moved);
}
// The sum, with high in [2^31, 2^32).
fn addSizes(a: Size, b: Size) -> Size {
  if (a.exponent < b.exponent) { return addSizesInOrder(b, a); }
  return addSizesInOrder(a, b);
}
fn addSizesInOrder(a: Size, b: Size) -> Size {
  let moved = shiftDown(vec3u(b.low, b.high, 0u), u32(min(a.exponent - b.exponent, 95)));
  let sum = addWide(vec2u(a.low, a.high), moved.xy);
  if (sum.y >= 0x80000000u) { return Size(sum.y, sum.x, a.exponent); }
  return Size((sum.y << 1u) | (sum.x >> 31u), sum.x << 1u, a.exponent - 1);
}
// h^2 of 50 bits times total, against numerator 2^(80 + doublings).
fn isAbove(h: u32, total: Size, numerator: u32, doublings: u32) -> bool {
  let square = multiplyWide(h, h);
  let lowest = multiplyWide(square.x, total.low);
  var middle = addWide(vec2u(lowest.y, 0u), multiplyWide(square.x, total.high));
  middle = addWide(middle, multiplyWide(square.y, total.low));
  let top = addWide(vec2u(middle.y, 0u), multiplyWide(square.y, total.high));
  let want = vec2u(numerator << (16u + doublings), numerator >> (16u - doublings));
  if (top.y != want.y) { return top.y > want.y; }
  if (top.x != want.x) { return top.x > want.x; }
  return (middle.x | lowest.x) != 0u;
}
// sqrt(count / total), nearest.
fn inverseRoot(count: u32, total: Size) -> f32 {
  let zeros = countLeadingZeros(count);
  let numerator = count << zeros;
  var exponent = -i32(zeros) - total.exponent - 32;
  var doublings = 0u;
  if ((exponent & 1) != 0) { doublings = 1u; }
  else if (numerator < total.high || (numerator == total.high && total.low > 0u)) { doublings = 2u; }
  exponent -= i32(doublings);
  var root = u32(sqrt(f32(numerator) / f32(total.high) * f32(1u << doublings)) * 8388608.0);
  while (isAbove(2u * root - 1u, total, numerator, doublings)) { root--; }
  while (!isAbove(2u * root + 1u, total, numerator, doublings)) { root++; }
  return bitcast<f32>(u32((127 + exponent / 2) << 23u) + root - 0x800000u);
}

fn exponentOf(bits: u32) -> u32 { return max((bits >> 23u) & 255u, 1u); }
var<workgroup> inverse: f32;

fn inverseOfRow(at: u32, lane: u32) -> f32 {
  var most = 0u;
  for (var c = lane; c < params.C; c += LANES) { most = max(most, exponentOf(x[at + c])); }
  raiseCell(4u, most);
  workgroupBarrier();
  let top = atomicLoad(&cells[4]);
  var sum = vec3u();
  for (var c = lane; c < params.C; c += LANES) {
    let bits = x[at + c];
    let hidden = select(0u, 0x800000u, (bits & 0x7f800000u) != 0u);
    let significand = (bits & 0x7fffffu) | hidden;
    let square = multiplyWide(significand, significand);
    sum = addWords(sum, shiftDown(vec3u(0u, square), 2u * (top - exponentOf(bits))));
  }
  // Digits of 24 bits, so that those of 256 lanes fit a word.
  addToCell(0u, sum.x & 0xffffffu);
  addToCell(1u, (sum.x >> 24u) | ((sum.y & 0xffffu) << 8u));
  addToCell(2u, (sum.y >> 16u) | ((sum.z & 0xffu) << 16u));
  addToCell(3u, sum.z >> 8u);
  workgroupBarrier();
  if (lane == 0u) {
    let d0 = atomicLoad(&cells[0]);
    let d1 = atomicLoad(&cells[1]) + (d0 >> 24u);
    let d2 = atomicLoad(&cells[2]) + (d1 >> 24u);
    let d3 = atomicLoad(&cells[3]) + (d2 >> 24u);
    let words = vec3u(
      (d0 & 0xffffffu) | (d1 << 24u),
      ((d1 >> 8u) & 0xffffu) | (d2 << 16u),
      ((d2 >> 16u) & 0xffu) | (d3 << 8u));
    let squares = sizeOf(words, 2 * (i32(top) - 150) - 32);
    let low = multiplyWide(params.epsLow, params.C);
    let high = multiplyWide((params.epsHigh & 0xfffffu) | 0x100000u, params.C);
    let eps = vec3u(low.x, addWide(vec2u(low.y, 0u), high));
    let total = addSizes(squares, sizeOf(eps, i32(params.epsHigh >> 20u) - 1075));
    inverse = inverseRoot(params.C, total);
  }
  return workgroupUniformLoad(&inverse);
}
// fround(fround(x r) weight). The parameter that is 0 keeps the two products apart.
fn normed(bits: u32, weight: u32, r: f32) -> u32 {
  let product = bitcast<u32>(bitcast<f32>(bits) * r) ^ params.nothing;
  return bitcast<u32>(bitcast<f32>(product) * bitcast<f32>(weight));
}
`,
};

/** The params epsLow and epsHigh. */
export const epsWords = (eps: number): [low: number, high: number] =>
  Array.from(new Uint32Array(Float64Array.of(eps).buffer)) as [number, number];
