// The SIMD layer for AVX-512 with VNNI; see simd_scalar.h for what each name means.


constexpr int LANES = 16;
constexpr int TILE_ROWS = 12;
constexpr int TILE_VECTORS = 2;
constexpr int CODE_TOKENS = 6;
constexpr int CODE_VECTORS = 4;

using F = __m512;

inline F load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F x) { _mm512_storeu_ps(p, x); }
inline F broadcast(float x) { return _mm512_set1_ps(x); }
inline F gather(const float* base, const int32_t* index) {
  return _mm512_i32gather_ps(_mm512_loadu_si512(index), base, 4);
}
inline F lookup(const float* table, const int32_t* index) {
  return _mm512_permutexvar_ps(_mm512_loadu_si512(index), _mm512_castps256_ps512(_mm256_loadu_ps(table)));
}
inline F add(F a, F b) { return _mm512_add_ps(a, b); }
inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F div(F a, F b) { return _mm512_div_ps(a, b); }
inline F mulAdd(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F smaller(F x, F y) { return _mm512_min_ps(x, y); }
inline F larger(F x, F y) { return _mm512_max_ps(x, y); }
inline F ifEqual(F a, F b, F x, F y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), y, x); }
inline F roundEven(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F timesPowerOf2(F x, F n) { return _mm512_scalef_ps(x, n); }
constexpr int DOUBLES = 8;
using D = __m512d;
inline D loadDoubles(const double* p) { return _mm512_loadu_pd(p); }
inline void storeDoubles(double* p, D x) { _mm512_storeu_pd(p, x); }
inline D broadcastDouble(double x) { return _mm512_set1_pd(x); }
inline D subDoubles(D a, D b) { return _mm512_sub_pd(a, b); }
inline D mulAddDoubles(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
#include "simd_exp.h"
inline float sumOf(F x) { return _mm512_reduce_add_ps(x); }
inline float smallestOf(F x) { return _mm512_reduce_min_ps(x); }
inline float largestOf(F x) { return _mm512_reduce_max_ps(x); }

/// Four rows of 16 as one 4x4 transpose in each quarter of a register: a quarter holds four columns of the result.
inline void transposeLanes(const float* from, size_t stride, float* to, size_t toStride) {
  F quarters[4][4];  // [group of four rows][column modulo 4]
  UNROLL(4)
  for (int g = 0; g < 4; g++) {
    const float* rows = from + 4 * g * stride;
    const F a = load(rows), b = load(rows + stride), c = load(rows + 2 * stride), d = load(rows + 3 * stride);
    const F abLow = _mm512_unpacklo_ps(a, b), abHigh = _mm512_unpackhi_ps(a, b);
    const F cdLow = _mm512_unpacklo_ps(c, d), cdHigh = _mm512_unpackhi_ps(c, d);
    quarters[g][0] = _mm512_shuffle_ps(abLow, cdLow, 0x44);
    quarters[g][1] = _mm512_shuffle_ps(abLow, cdLow, 0xee);
    quarters[g][2] = _mm512_shuffle_ps(abHigh, cdHigh, 0x44);
    quarters[g][3] = _mm512_shuffle_ps(abHigh, cdHigh, 0xee);
  }
  UNROLL(4)
  for (int i = 0; i < 4; i++) {  // a 4x4 transpose of quarters
    const F ab01 = _mm512_shuffle_f32x4(quarters[0][i], quarters[1][i], 0x44);
    const F ab23 = _mm512_shuffle_f32x4(quarters[0][i], quarters[1][i], 0xee);
    const F cd01 = _mm512_shuffle_f32x4(quarters[2][i], quarters[3][i], 0x44);
    const F cd23 = _mm512_shuffle_f32x4(quarters[2][i], quarters[3][i], 0xee);
    store(to + i * toStride, _mm512_shuffle_f32x4(ab01, cd01, 0x88));
    store(to + (4 + i) * toStride, _mm512_shuffle_f32x4(ab01, cd01, 0xdd));
    store(to + (8 + i) * toStride, _mm512_shuffle_f32x4(ab23, cd23, 0x88));
    store(to + (12 + i) * toStride, _mm512_shuffle_f32x4(ab23, cd23, 0xdd));
  }
}

inline void storeWhole(uint8_t* p, F x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
inline void storeWhole(uint16_t* p, F x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x)));
}
inline F loadWhole(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline F loadWhole(const uint16_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
inline F loadHalf(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline F loadLowNibbles(const uint8_t* p) {
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(_mm512_and_si512(bytes, _mm512_set1_epi32(15)));
}
inline F loadHighNibbles(const uint8_t* p) {
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(bytes, 4));
}
template <int FIELD>
inline F loadTrits(const uint8_t* p) {
  // A lane of the table is chosen by the lowest four bits; two of them are another pair's.
  const __m512 table = _mm512_setr_ps(-1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2);
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 2 * FIELD), table);
}

using I = __m512i;
inline I zeros() { return _mm512_setzero_si512(); }
inline I loadBytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
inline I broadcastBytes(const uint8_t* p) {
  int32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return _mm512_set1_epi32(bytes);
}
inline void storeBytes(uint8_t* p, I x) { _mm512_storeu_si512(p, x); }
inline void storeSums(int32_t* p, I x) { _mm512_storeu_si512(p, x); }
inline I lowNibbles(I x) { return _mm512_and_si512(x, _mm512_set1_epi8(0x0f)); }
inline I highNibbles(I x) { return lowNibbles(_mm512_srli_epi16(x, 4)); }
template <int FIELD>
inline I bitPairs(I x) {
  return _mm512_and_si512(_mm512_srli_epi16(x, 2 * FIELD), _mm512_set1_epi8(0x03));
}
constexpr bool UNSIGNED_WEIGHTS = false;
/// vpdpbusd does not saturate.
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  return _mm512_dpbusd_epi32(sums, codes, weights);
}
#include "simd_no_shorts.h"
