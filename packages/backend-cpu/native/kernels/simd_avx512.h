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
inline F add(F a, F b) { return _mm512_add_ps(a, b); }
inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F div(F a, F b) { return _mm512_div_ps(a, b); }
inline F mulAdd(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F smaller(F x, F y) { return _mm512_min_ps(x, y); }
inline F larger(F x, F y) { return _mm512_max_ps(x, y); }
inline F roundEven(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F timesPowerOf2(F x, F n) { return _mm512_scalef_ps(x, n); }
#include "simd_exp.h"
inline float sumOf(F x) { return _mm512_reduce_add_ps(x); }
inline float smallestOf(F x) { return _mm512_reduce_min_ps(x); }
inline float largestOf(F x) { return _mm512_reduce_max_ps(x); }

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
