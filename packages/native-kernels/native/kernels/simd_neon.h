// The SIMD layer for AArch64 NEON with dot products; see simd_scalar.h for what each name means.


constexpr int LANES = 4;
constexpr int TILE_ROWS = 6;
constexpr int TILE_VECTORS = 4;
constexpr int CODE_TOKENS = 6;
constexpr int CODE_VECTORS = 4;

using F = float32x4_t;

inline F load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, F x) { vst1q_f32(p, x); }
inline F broadcast(float x) { return vdupq_n_f32(x); }
inline F gather(const float* base, const int32_t* index) {
  const float lanes[LANES] = {base[index[0]], base[index[1]], base[index[2]], base[index[3]]};
  return load(lanes);
}
inline F lookup(const float* table, const int32_t* index) { return gather(table, index); }
inline F add(F a, F b) { return vaddq_f32(a, b); }
inline F sub(F a, F b) { return vsubq_f32(a, b); }
inline F mul(F a, F b) { return vmulq_f32(a, b); }
inline F div(F a, F b) { return vdivq_f32(a, b); }
inline F mulAdd(F a, F b, F c) { return vfmaq_f32(c, a, b); }
// NEON's own minimum and maximum are no number where one of the two is none.
inline F smaller(F x, F y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
inline F larger(F x, F y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
inline F ifEqual(F a, F b, F x, F y) { return vbslq_f32(vceqq_f32(a, b), x, y); }
inline F roundEven(F x) { return vrndnq_f32(x); }

/// x 2^n for whole n of -160..130, in two steps so that neither factor overflows.
inline F timesPowerOf2(F x, F n) {
  const int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1), rest = vsubq_s32(whole, half);
  const int32x4_t bias = vdupq_n_s32(127);
  const F a = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
  const F b = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23));
  return mul(mul(x, a), b);
}
constexpr int DOUBLES = 2;
using D = float64x2_t;
inline D loadDoubles(const double* p) { return vld1q_f64(p); }
inline void storeDoubles(double* p, D x) { vst1q_f64(p, x); }
inline D broadcastDouble(double x) { return vdupq_n_f64(x); }
inline D subDoubles(D a, D b) { return vsubq_f64(a, b); }
inline D mulAddDoubles(D a, D b, D c) { return vfmaq_f64(c, a, b); }
#include "simd_exp.h"
inline float sumOf(F x) { return vaddvq_f32(x); }
inline float smallestOf(F x) { return vminvq_f32(x); }
inline float largestOf(F x) { return vmaxvq_f32(x); }

inline void transposeLanes(const float* from, size_t stride, float* to, size_t toStride) {
  const F a = load(from), b = load(from + stride), c = load(from + 2 * stride), d = load(from + 3 * stride);
  const auto abEven = vreinterpretq_f64_f32(vtrn1q_f32(a, b)), abOdd = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
  const auto cdEven = vreinterpretq_f64_f32(vtrn1q_f32(c, d)), cdOdd = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
  store(to, vreinterpretq_f32_f64(vtrn1q_f64(abEven, cdEven)));
  store(to + toStride, vreinterpretq_f32_f64(vtrn1q_f64(abOdd, cdOdd)));
  store(to + 2 * toStride, vreinterpretq_f32_f64(vtrn2q_f64(abEven, cdEven)));
  store(to + 3 * toStride, vreinterpretq_f32_f64(vtrn2q_f64(abOdd, cdOdd)));
}

inline uint16x4_t words(F x) { return vmovn_u32(vcvtq_u32_f32(x)); }
inline void storeWhole(uint8_t* p, F x) {
  const uint16x4_t w = words(x);
  const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(w, w))), 0);
  std::memcpy(p, &bytes, sizeof bytes);
}
inline void storeWhole(uint16_t* p, F x) { vst1_u16(p, words(x)); }
inline F floats(uint16x4_t x) { return vcvtq_f32_u32(vmovl_u16(x)); }
/// The four bytes at p, and zeros.
inline uint8x8_t fourBytes(const uint8_t* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return vcreate_u8(bytes);
}
inline F floats(uint8x8_t x) { return floats(vget_low_u16(vmovl_u8(x))); }
inline F loadWhole(const uint8_t* p) { return floats(fourBytes(p)); }
inline F loadWhole(const uint16_t* p) { return floats(vld1_u16(p)); }
inline F loadHalf(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
inline F loadLowNibbles(const uint8_t* p) { return floats(vand_u8(fourBytes(p), vdup_n_u8(15))); }
inline F loadHighNibbles(const uint8_t* p) { return floats(vshr_n_u8(fourBytes(p), 4)); }
template <int FIELD>
inline F loadTrits(const uint8_t* p) {
  uint8x8_t pairs = fourBytes(p);
  if constexpr (FIELD > 0) pairs = vshr_n_u8(pairs, 2 * FIELD);
  return vsubq_f32(floats(vand_u8(pairs, vdup_n_u8(3))), vdupq_n_f32(1));
}

using I = uint8x16_t;
inline I zeros() { return vdupq_n_u8(0); }
inline I loadBytes(const uint8_t* p) { return vld1q_u8(p); }
inline I broadcastBytes(const uint8_t* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return vreinterpretq_u8_u32(vdupq_n_u32(bytes));
}
inline void storeBytes(uint8_t* p, I x) { vst1q_u8(p, x); }
inline void storeSums(int32_t* p, I x) { vst1q_s32(p, vreinterpretq_s32_u8(x)); }
inline I lowNibbles(I x) { return vandq_u8(x, vdupq_n_u8(15)); }
inline I highNibbles(I x) { return vshrq_n_u8(x, 4); }
template <int FIELD>
inline I bitPairs(I x) {
  if constexpr (FIELD == 3) return vshrq_n_u8(x, 6);
  else if constexpr (FIELD == 0) return vandq_u8(x, vdupq_n_u8(3));
  else return vandq_u8(vshrq_n_u8(x, 2 * FIELD), vdupq_n_u8(3));
}

/// Codes and weights are both unsigned, so that udot takes them as they are.
constexpr bool UNSIGNED_WEIGHTS = true;
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  return vreinterpretq_u8_u32(vdotq_u32(vreinterpretq_u32_u8(sums), codes, weights));
}
#include "simd_no_shorts.h"
