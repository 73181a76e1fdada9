// Reading panels of packed weights, see codes_layout.inc.h.

constexpr size_t PANEL_VECTORS = ROWS / LANES;

/// Field f of each byte.
template <int BITS, int FIELD>
inline I field(I stored) {
  if constexpr (BITS == 8) return stored;
  else if constexpr (BITS == 2) return bitPairs<FIELD>(stored);
  else if constexpr (FIELD == 0) return lowNibbles(stored);
  else return highNibbles(stored);
}

/// Products of TOKENS tokens, `stride` bytes apart, with one panel of one segment, read as it is stored.
template <int TOKENS, int BITS, bool NARROW>
void panelProducts(const uint8_t* weights, const uint8_t* codes, size_t stride, size_t channels, int32_t* sums) {
  constexpr size_t FIELDS = 8 / BITS;
  constexpr bool SHORT = BITS < 8 && SHORT_STEPS > 0;
  constexpr size_t STEP = BITS == 2 ? 16 : 8;
  using Sums = I[TOKENS][PANEL_VECTORS];
  const auto clear = [](Sums& sums_) {
    for (int m = 0; m < TOKENS; m++) {
      for (size_t v = 0; v < PANEL_VECTORS; v++) sums_[m][v] = zeros();
    }
  };
  const auto multiply4 = [&](Sums& to, size_t v, const uint8_t* four, I weight) {
    for (int m = 0; m < TOKENS; m++) {
      const I code = broadcastBytes(four + m * stride);
      to[m][v] = SHORT ? dotShort(to[m][v], code, weight) : dot<NARROW>(to[m][v], code, weight);
    }
  };
  const auto multiplyStep = [&](Sums& even, Sums& odd) {
    PREFETCH(weights + 4096);
    for (size_t v = 0; v < PANEL_VECTORS; v++) {
      const I stored = loadBytes(weights + v * LANES * 4);
      multiply4(even, v, codes, field<BITS, 0>(stored));
      multiply4(odd, v, codes + 4, BITS == 8 ? loadBytes(weights + 64 + v * LANES * 4) : field<BITS, 1>(stored));
      if constexpr (BITS == 2) {
        multiply4(even, v, codes + 8, field<BITS, 2>(stored));
        multiply4(odd, v, codes + 12, field<BITS, 3>(stored));
      }
    }
    weights += STEP / 4 / FIELDS * 64;
    codes += STEP;
  };
  Sums even, odd;
  clear(even);
  clear(odd);
  if constexpr (!SHORT) {
    for (size_t c = 0; c < channels; c += STEP) multiplyStep(even, odd);
  } else {
    constexpr size_t STEPS = 8 * SHORT_STEPS;  // half of the channels of a step go to each
    for (size_t c = 0; c < channels;) {
      const size_t end = smallerSize(channels, c + STEPS);
      Sums shortEven, shortOdd;
      clear(shortEven);
      clear(shortOdd);
      for (; c < end; c += STEP) multiplyStep(shortEven, shortOdd);
      for (int m = 0; m < TOKENS; m++) {
        for (size_t v = 0; v < PANEL_VECTORS; v++) {
          even[m][v] = widen(even[m][v], shortEven[m][v]);
          odd[m][v] = widen(odd[m][v], shortOdd[m][v]);
        }
      }
    }
  }
  for (int m = 0; m < TOKENS; m++) {
    for (size_t v = 0; v < PANEL_VECTORS; v++) {
      int32_t a[LANES], b[LANES];
      storeSums(a, even[m][v]);
      storeSums(b, odd[m][v]);
      for (int i = 0; i < LANES; i++) sums[m * ROWS + v * LANES + i] = a[i] + b[i];
    }
  }
}
/// The same for a segment of weights of `bits` bits.
template <int TOKENS, bool NARROW>
void segmentProducts(int bits, const uint8_t* weights, const uint8_t* codes, size_t stride, size_t channels,
                     int32_t* sums) {
  if (bits == 2) panelProducts<TOKENS, 2, true>(weights, codes, stride, channels, sums);
  else if (bits == 4) panelProducts<TOKENS, 4, true>(weights, codes, stride, channels, sums);
  else panelProducts<TOKENS, 8, NARROW>(weights, codes, stride, channels, sums);
}

/// Unpacks one segment of a panel to signed bytes.
template <int BITS>
void unpackFields(const uint8_t* weights, size_t channels, uint8_t* unpacked) {
  constexpr size_t FIELDS = 8 / BITS;
  for (size_t c = 0; c < channels; c += 4 * FIELDS, weights += 64, unpacked += FIELDS * 64) {
    for (size_t v = 0; v < PANEL_VECTORS; v++) {
      const I stored = loadBytes(weights + v * LANES * 4);
      uint8_t* to = unpacked + v * LANES * 4;
      storeBytes(to, field<BITS, 0>(stored));
      if constexpr (BITS < 8) storeBytes(to + 64, field<BITS, 1>(stored));
      if constexpr (BITS == 2) {
        storeBytes(to + 128, field<BITS, 2>(stored));
        storeBytes(to + 192, field<BITS, 3>(stored));
      }
    }
  }
}
void unpackSegment(const Segment& segment, const uint8_t* panel, uint8_t* unpacked) {
  const uint8_t* weights = panel + segment.offset;
  const auto channels = static_cast<size_t>(segment.padded);
  if (segment.bits == 2) unpackFields<2>(weights, channels, unpacked);
  else if (segment.bits == 4) unpackFields<4>(weights, channels, unpacked);
  else std::memcpy(unpacked, weights, channels * ROWS);
}
