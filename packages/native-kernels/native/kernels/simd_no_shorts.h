// For layers whose `dot` takes codes as they are and needs no sums in 16 bits.

/// Whether codes of `dot` are bytes of -128..127, the code less 128, rather than of 0..255.
constexpr bool SIGNED_CODES = false;
/// Runs of `dotShort` before `widen`, at most; 0 where the layer has neither.
constexpr size_t SHORT_STEPS = 0;
/// As `dot` for weights of up to 4 bits, in twice as many lanes of 16 bits ...
inline I dotShort(I sums, I, I) { return sums; }
/// ... and sums + the pairs of such lanes.
inline I widen(I sums, I) { return sums; }
