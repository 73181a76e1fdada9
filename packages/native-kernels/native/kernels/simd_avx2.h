// The SIMD layer for AVX2 with FMA; see simd_scalar.h for what each name means.


constexpr int LANES = 8;
constexpr int TILE_ROWS = 6;
constexpr int TILE_VECTORS = 2;
constexpr int CODE_TOKENS = 4;
constexpr int CODE_VECTORS = 2;

using F = __m256;

inline F load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, F x) { _mm256_storeu_ps(p, x); }
inline F broadcast(float x) { return _mm256_set1_ps(x); }
inline F gather(const float* base, const int32_t* index) {
  return _mm256_i32gather_ps(base, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4);
}
inline F lookup(const float* table, const int32_t* index) {
  return _mm256_permutevar8x32_ps(load(table), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)));
}
inline F add(F a, F b) { return _mm256_add_ps(a, b); }
inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
inline F div(F a, F b) { return _mm256_div_ps(a, b); }
inline F mulAdd(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
inline F smaller(F x, F y) { return _mm256_min_ps(x, y); }
inline F larger(F x, F y) { return _mm256_max_ps(x, y); }
inline F ifEqual(F a, F b, F x, F y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
inline F roundEven(F x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/// x 2^n for whole n of -160..130, in two steps so that neither factor overflows.
inline F timesPowerOf2(F x, F n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const __m256i bias = _mm256_set1_epi32(127);
  const F a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const F b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return mul(mul(x, a), b);
}
constexpr int DOUBLES = 4;
using D = __m256d;
inline D loadDoubles(const double* p) { return _mm256_loadu_pd(p); }
inline void storeDoubles(double* p, D x) { _mm256_storeu_pd(p, x); }
inline D broadcastDouble(double x) { return _mm256_set1_pd(x); }
inline D subDoubles(D a, D b) { return _mm256_sub_pd(a, b); }
inline D mulAddDoubles(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
#include "simd_exp.h"

template <class Combine>
inline float reduce(F x, Combine combine) {
  float lanes[LANES];
  store(lanes, x);
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) lanes[i] = combine(lanes[i], lanes[i + width]);
  }
  return lanes[0];
}
inline float sumOf(F x) {
  return reduce(x, [](float a, float b) { return a + b; });
}
inline float smallestOf(F x) {
  return reduce(x, [](float a, float b) { return a < b ? a : b; });
}
inline float largestOf(F x) {
  return reduce(x, [](float a, float b) { return a > b ? a : b; });
}

inline void transposeLanes(const float* from, size_t stride, float* to, size_t toStride) {
  F a[8], b[8];
  for (int i = 0; i < 4; i++) {  // rows i and i + 4 share a register, so that what is left stays inside its halves
    const float* row = from + i * stride;
    const float* below = row + 4 * stride;
    a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row)), _mm_loadu_ps(below), 1);
    a[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row + 4)), _mm_loadu_ps(below + 4), 1);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 4; j += 2) {
      b[i + j] = _mm256_unpacklo_ps(a[i + j], a[i + j + 1]);
      b[i + j + 1] = _mm256_unpackhi_ps(a[i + j], a[i + j + 1]);
    }
    for (int j = 0; j < 2; j++) {
      store(to + (i + 2 * j) * toStride, _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0x44));
      store(to + (i + 2 * j + 1) * toStride, _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0xee));
    }
  }
}

inline __m128i words(F x) {
  const __m256i whole = _mm256_cvtps_epi32(x);
  return _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}
inline void storeWhole(uint8_t* p, F x) {
  const __m128i w = words(x);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(w, w));
}
inline void storeWhole(uint16_t* p, F x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words(x)); }
inline F loadWhole(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline F loadWhole(const uint16_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline F loadHalf(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline F loadLowNibbles(const uint8_t* p) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_cvtepi32_ps(_mm256_and_si256(bytes, _mm256_set1_epi32(15)));
}
inline F loadHighNibbles(const uint8_t* p) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_cvtepi32_ps(_mm256_srli_epi32(bytes, 4));
}
template <int FIELD>
inline F loadTrits(const uint8_t* p) {
  // A lane of the table is chosen by the lowest three bits; the third is another pair's.
  const __m256 table = _mm256_setr_ps(-1, 0, 1, 2, -1, 0, 1, 2);
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_permutevar8x32_ps(table, _mm256_srli_epi32(bytes, 2 * FIELD));
}

using I = __m256i;
inline I zeros() { return _mm256_setzero_si256(); }
inline I loadBytes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline I broadcastBytes(const uint8_t* p) {
  int32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return _mm256_set1_epi32(bytes);
}
inline void storeBytes(uint8_t* p, I x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
inline void storeSums(int32_t* p, I x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
inline I lowNibbles(I x) { return _mm256_and_si256(x, _mm256_set1_epi8(0x0f)); }
inline I highNibbles(I x) { return lowNibbles(_mm256_srli_epi16(x, 4)); }

template <int FIELD>
inline I bitPairs(I x) {
  return _mm256_and_si256(_mm256_srli_epi16(x, 2 * FIELD), _mm256_set1_epi8(0x03));
}
constexpr bool UNSIGNED_WEIGHTS = false;
/// maddubs saturates sums of two products at 16 bits: 2 * 255 * 64 fits, larger weights go through 16-bit lanes.
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  if (NARROW) {
    const I pairs = _mm256_maddubs_epi16(codes, weights);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  const I evenCodes = _mm256_and_si256(codes, _mm256_set1_epi16(0xff));
  const I oddCodes = _mm256_srli_epi16(codes, 8);
  const I evenWeights = _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8);
  const I oddWeights = _mm256_srai_epi16(weights, 8);
  sums = _mm256_add_epi32(sums, _mm256_madd_epi16(evenCodes, evenWeights));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(oddCodes, oddWeights));
}
#include "simd_no_shorts.h"
