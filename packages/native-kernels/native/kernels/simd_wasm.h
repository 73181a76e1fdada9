// The SIMD layer for WebAssembly: simd128, and relaxed SIMD where the compiler has it; see simd_scalar.h for what each
// name means.

constexpr int LANES = 4;
constexpr int TILE_ROWS = 6;
constexpr int TILE_VECTORS = 2;
constexpr int CODE_TOKENS = 4;
constexpr int CODE_VECTORS = 2;

using F = v128_t;

inline F load(const float* p) { return wasm_v128_load(p); }
inline void store(float* p, F x) { wasm_v128_store(p, x); }
inline F broadcast(float x) { return wasm_f32x4_splat(x); }
inline F gather(const float* base, const int32_t* index) {
  return wasm_f32x4_make(base[index[0]], base[index[1]], base[index[2]], base[index[3]]);
}
inline F lookup(const float* table, const int32_t* index) { return gather(table, index); }
inline F add(F a, F b) { return wasm_f32x4_add(a, b); }
inline F sub(F a, F b) { return wasm_f32x4_sub(a, b); }
inline F mul(F a, F b) { return wasm_f32x4_mul(a, b); }
inline F div(F a, F b) { return wasm_f32x4_div(a, b); }
#if defined(__wasm_relaxed_simd__)
inline F mulAdd(F a, F b, F c) { return wasm_f32x4_relaxed_madd(a, b, c); }
#else
inline F mulAdd(F a, F b, F c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }
#endif
// The pseudo-minimum is its first operand unless the second is smaller; the maximum alike.
inline F smaller(F x, F y) { return wasm_f32x4_pmin(y, x); }
inline F larger(F x, F y) { return wasm_f32x4_pmax(y, x); }
inline F ifEqual(F a, F b, F x, F y) { return wasm_v128_bitselect(x, y, wasm_f32x4_eq(a, b)); }
inline F roundEven(F x) { return wasm_f32x4_nearest(x); }

/// x 2^n for whole n of -160..130, in two steps so that neither factor overflows.
inline F timesPowerOf2(F x, F n) {
  // The sum has n in its lowest bits.
  const v128_t whole =
      wasm_i32x4_sub(wasm_f32x4_add(n, wasm_f32x4_const_splat(0x1.8p23f)), wasm_i32x4_const_splat(0x4b400000));
  const v128_t half = wasm_i32x4_shr(whole, 1), rest = wasm_i32x4_sub(whole, half);
  const v128_t bias = wasm_i32x4_const_splat(127);
  const F a = wasm_i32x4_shl(wasm_i32x4_add(half, bias), 23);
  const F b = wasm_i32x4_shl(wasm_i32x4_add(rest, bias), 23);
  return mul(mul(x, a), b);
}
constexpr int DOUBLES = 2;
using D = v128_t;
inline D loadDoubles(const double* p) { return wasm_v128_load(p); }
inline void storeDoubles(double* p, D x) { wasm_v128_store(p, x); }
inline D broadcastDouble(double x) { return wasm_f64x2_splat(x); }
inline D subDoubles(D a, D b) { return wasm_f64x2_sub(a, b); }
inline D mulAddDoubles(D a, D b, D c) { return wasm_f64x2_add(wasm_f64x2_mul(a, b), c); }
#include "simd_exp.h"

template <class Combine>
inline float reduce(F x, Combine combine) {
  const F pairs = combine(x, wasm_i32x4_shuffle(x, x, 2, 3, 2, 3));
  return wasm_f32x4_extract_lane(combine(pairs, wasm_i32x4_shuffle(pairs, pairs, 1, 1, 1, 1)), 0);
}
inline float sumOf(F x) { return reduce(x, add); }
inline float smallestOf(F x) { return reduce(x, smaller); }
inline float largestOf(F x) { return reduce(x, larger); }

inline void transposeLanes(const float* from, size_t stride, float* to, size_t toStride) {
  const F a = load(from), b = load(from + stride), c = load(from + 2 * stride), d = load(from + 3 * stride);
  const F abLow = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), abHigh = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  const F cdLow = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cdHigh = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  store(to, wasm_i64x2_shuffle(abLow, cdLow, 0, 2));
  store(to + toStride, wasm_i64x2_shuffle(abLow, cdLow, 1, 3));
  store(to + 2 * toStride, wasm_i64x2_shuffle(abHigh, cdHigh, 0, 2));
  store(to + 3 * toStride, wasm_i64x2_shuffle(abHigh, cdHigh, 1, 3));
}

/// Whole numbers of 0..65535, in the low half of each lane.
inline v128_t words(F x) { return wasm_f32x4_add(x, wasm_f32x4_const_splat(0x1p23f)); }
inline void storeWhole(uint8_t* p, F x) {
  const v128_t w = words(x);
  wasm_v128_store32_lane(p, wasm_i8x16_shuffle(w, w, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
}
inline void storeWhole(uint16_t* p, F x) {
  const v128_t w = words(x);
  wasm_v128_store64_lane(p, wasm_i16x8_shuffle(w, w, 0, 2, 4, 6, 0, 2, 4, 6), 0);
}
/// The four bytes at p, one a lane.
inline v128_t fourBytes(const uint8_t* p) {
  return wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
}
inline F loadWhole(const uint8_t* p) { return wasm_f32x4_convert_i32x4(fourBytes(p)); }
inline F loadWhole(const uint16_t* p) { return wasm_f32x4_convert_i32x4(wasm_u32x4_load16x4(p)); }
inline F loadHalf(const uint16_t* p) {
  const v128_t half = wasm_u32x4_load16x4(p);
  const v128_t size = wasm_v128_and(half, wasm_i32x4_const_splat(0x7fff)), bits = wasm_i32x4_shl(size, 13);
  // The exponent counts from another zero; the product is exact, and has what is below the normal numbers right.
  const v128_t finite = mul(bits, wasm_f32x4_const_splat(0x1p112f));
  const v128_t other = wasm_v128_or(bits, wasm_i32x4_const_splat(0x7f800000));
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(half, wasm_i32x4_const_splat(0x8000)), 16);
  const v128_t isFinite = wasm_i32x4_lt(size, wasm_i32x4_const_splat(0x7c00));
  return wasm_v128_or(sign, wasm_v128_bitselect(finite, other, isFinite));
}
inline F loadLowNibbles(const uint8_t* p) {
  return wasm_f32x4_convert_i32x4(wasm_v128_and(fourBytes(p), wasm_i32x4_const_splat(15)));
}
inline F loadHighNibbles(const uint8_t* p) {
  return wasm_f32x4_convert_i32x4(wasm_u32x4_shr(fourBytes(p), 4));
}
template <int FIELD>
inline F loadTrits(const uint8_t* p) {
  const v128_t pairs = wasm_v128_and(wasm_u32x4_shr(fourBytes(p), 2 * FIELD), wasm_i32x4_const_splat(3));
  return wasm_f32x4_convert_i32x4(wasm_i32x4_sub(pairs, wasm_i32x4_const_splat(1)));
}

using I = v128_t;
inline I zeros() { return wasm_i32x4_const_splat(0); }
inline I loadBytes(const uint8_t* p) { return wasm_v128_load(p); }
inline I broadcastBytes(const uint8_t* p) { return wasm_v128_load32_splat(p); }
inline void storeBytes(uint8_t* p, I x) { wasm_v128_store(p, x); }
inline void storeSums(int32_t* p, I x) { wasm_v128_store(p, x); }
inline I lowNibbles(I x) { return wasm_v128_and(x, wasm_i8x16_const_splat(15)); }
inline I highNibbles(I x) { return wasm_u8x16_shr(x, 4); }
template <int FIELD>
inline I bitPairs(I x) {
  return wasm_v128_and(wasm_u16x8_shr(x, 2 * FIELD), wasm_i8x16_const_splat(3));
}

constexpr bool UNSIGNED_WEIGHTS = true;
inline I evenBytes(I x) { return wasm_v128_and(x, wasm_i16x8_const_splat(0xff)); }
inline I oddBytes(I x) { return wasm_u16x8_shr(x, 8); }

#if defined(__wasm_relaxed_simd__)
// The products of relaxed SIMD take bytes of -128..127 and of 0..127: codes less 128, and weights of up to 7 bits.
constexpr bool SIGNED_CODES = true;
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  if constexpr (NARROW) return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(codes, weights, sums);
  const I even = wasm_i32x4_dot_i16x8(wasm_i16x8_shr(wasm_i16x8_shl(codes, 8), 8), evenBytes(weights));
  const I odd = wasm_i32x4_dot_i16x8(wasm_i16x8_shr(codes, 8), oddBytes(weights));
  return wasm_i32x4_add(sums, wasm_i32x4_add(even, odd));
}
/// A run adds at most 2 * 128 * 15 to a lane.
constexpr size_t SHORT_STEPS = 8;
inline I dotShort(I sums, I codes, I weights) {
  return wasm_i16x8_add(sums, wasm_i16x8_relaxed_dot_i8x16_i7x16(codes, weights));
}
inline I widen(I sums, I shorts) { return wasm_i32x4_add(sums, wasm_i32x4_extadd_pairwise_i16x8(shorts)); }
#else
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  const I even = wasm_i32x4_dot_i16x8(evenBytes(codes), evenBytes(weights));
  const I odd = wasm_i32x4_dot_i16x8(oddBytes(codes), oddBytes(weights));
  return wasm_i32x4_add(sums, wasm_i32x4_add(even, odd));
}
#include "simd_no_shorts.h"
#endif
