// The SIMD layer in plain C++: one lane. The other layers define the same names.

constexpr int LANES = 1;
constexpr int TILE_ROWS = 4;      // float tile: rows of A ...
constexpr int TILE_VECTORS = 4;   // ... times vectors of columns
constexpr int CODE_TOKENS = 2;    // integer tile: tokens ...
constexpr int CODE_VECTORS = 16;  // ... times vectors of outputs

using F = float;

inline F load(const float* p) { return *p; }
inline void store(float* p, F x) { *p = x; }
inline F broadcast(float x) { return x; }
inline F gather(const float* base, const int32_t* index) { return base[*index]; }
/// table[index] for each lane; a table of 8, in a register where there is one wide enough.
inline F lookup(const float* table, const int32_t* index) { return table[*index]; }
inline F add(F a, F b) { return a + b; }
inline F sub(F a, F b) { return a - b; }
inline F mul(F a, F b) { return a * b; }
inline F div(F a, F b) { return a / b; }
inline F mulAdd(F a, F b, F c) { return a * b + c; }
/// x < y ? x : y, so y where x is no number; `larger` alike.
inline F smaller(F x, F y) { return x < y ? x : y; }
inline F larger(F x, F y) { return x > y ? x : y; }
/// a == b ? x : y in each lane.
inline F ifEqual(F a, F b, F x, F y) { return a == b ? x : y; }
inline F roundEven(F x) { return std::nearbyintf(x); }
inline F expOf(F x) { return std::exp(x); }
inline float sumOf(F x) { return x; }
inline float smallestOf(F x) { return x; }
inline float largestOf(F x) { return x; }

/// Vectors of doubles, half as many to a register.
constexpr int DOUBLES = 1;
using D = double;
inline D loadDoubles(const double* p) { return *p; }
inline void storeDoubles(double* p, D x) { *p = x; }
inline D broadcastDouble(double x) { return x; }
inline D subDoubles(D a, D b) { return a - b; }
inline D mulAddDoubles(D a, D b, D c) { return a * b + c; }

/// The transpose of LANES rows of LANES floats; rows are `stride` and `toStride` apart.
inline void transposeLanes(const float* from, size_t, float* to, size_t) { *to = *from; }

/// Stores whole numbers of 0..255 and 0..65535.
inline void storeWhole(uint8_t* p, F x) { *p = static_cast<uint8_t>(static_cast<int32_t>(x)); }
inline void storeWhole(uint16_t* p, F x) { *p = static_cast<uint16_t>(static_cast<int32_t>(x)); }
inline F loadWhole(const uint8_t* p) { return *p; }
inline F loadWhole(const uint16_t* p) { return *p; }
/// Numbers from the bits of half-precision ones.
inline F loadHalf(const uint16_t* p) {
  const uint32_t bits = static_cast<uint32_t>(*p & 0x7fff) << 13;
  float size;
  std::memcpy(&size, &bits, sizeof size);
  // The exponent counts from another zero; the product is exact, and has what is below the normal numbers right.
  size = bits < 0x7c00u << 13 ? size * 0x1p112f : bits == 0x7c00u << 13 ? INFINITY : NAN;
  return *p & 0x8000 ? -size : size;
}
inline F loadLowNibbles(const uint8_t* p) { return static_cast<float>(*p & 15); }
inline F loadHighNibbles(const uint8_t* p) { return static_cast<float>(*p >> 4); }
/// The pair FIELD of bits of each byte, 0 the lowest, less 1.
template <int FIELD>
inline F loadTrits(const uint8_t* p) {
  return static_cast<float>((*p >> 2 * FIELD) & 3) - 1;
}

/// Four bytes a lane.
using I = int32_t;
inline I zeros() { return 0; }
inline I loadBytes(const uint8_t* p) {
  I x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
inline I broadcastBytes(const uint8_t* p) { return loadBytes(p); }
inline void storeBytes(uint8_t* p, I x) { std::memcpy(p, &x, sizeof x); }
inline void storeSums(int32_t* p, I x) { *p = x; }
inline I lowNibbles(I x) { return x & 0x0f0f0f0f; }
inline I highNibbles(I x) { return (x >> 4) & 0x0f0f0f0f; }
/// Two bits of each byte: the pair FIELD, 0 the lowest.
template <int FIELD>
inline I bitPairs(I x) {
  return (x >> 2 * FIELD) & 0x03030303;
}
/// Whether weights of `dot` are bytes of 0..255 rather than of -128..127.
constexpr bool UNSIGNED_WEIGHTS = false;
/// sums + the four products of a lane, codes unsigned, exact. NARROW: weights are in [-64, 64].
template <bool NARROW>
inline I dot(I sums, I codes, I weights) {
  for (int byte = 0; byte < 32; byte += 8) {
    sums += static_cast<uint8_t>(codes >> byte) * static_cast<int8_t>(weights >> byte);
  }
  return sums;
}
#include "simd_no_shorts.h"
