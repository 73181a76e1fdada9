// linear_packed_f32: float activations, packed weights. 16 rows make a panel: channel by channel 16 bytes, or for up to 4
// bits two channels to a byte, the even one in the low half.

struct FloatPackedLayout {
  size_t O, C, panels;
  int bits;
  bool nibbles;
  size_t rowZero, bias, weights, bytes;

  /// Numbers O, C, weightBits.
  explicit FloatPackedLayout(const double* numbers)
      : O(static_cast<size_t>(numbers[0])),
        C(static_cast<size_t>(numbers[1])),
        panels(divideUp(O, ROWS)),
        bits(static_cast<int>(numbers[2])),
        nibbles(bits <= 4) {
    rowZero = panels * ROWS * sizeof(float);  // after the scales
    bias = rowZero + panels * ROWS * sizeof(float);
    weights = bias + panels * ROWS * sizeof(float);
    bytes = weights + panels * panelBytes();
  }
  size_t panelBytes() const { return (nibbles ? divideUp(C, 2) : C) * ROWS; }
};

/// pack_linear_packed. Operands weight, weightScale, weightZero, bias, packed (zeros before); numbers O, C, weightBits.
size_t linearPackedBytes(const double* numbers) { return FloatPackedLayout(numbers).bytes; }
void packLinearPacked(const Call& call) {
  const FloatPackedLayout layout(call.numbers);
  const auto* weight = operand<uint8_t>(call, 0);
  const auto* bias = operand<float>(call, 3);
  auto* base = operand<uint8_t>(call, 4);
  const size_t O = layout.O, C = layout.C;
  std::memcpy(base, operand<float>(call, 1), O * sizeof(float));
  const auto* zero = operand<int32_t>(call, 2);
  for (size_t o = 0; o < O; o++) reinterpret_cast<float*>(base + layout.rowZero)[o] = static_cast<float>(zero[o]);
  if (bias != nullptr) std::memcpy(base + layout.bias, bias, O * sizeof(float));
  const size_t rowBytes = divideUp(C * static_cast<size_t>(layout.bits), 8);
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * roundUp(C, 64));
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t* codes = rowsOfThreads + thread * roundUp(C, 64);
    uint8_t* panel = base + layout.weights + p * layout.panelBytes();
    for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
      unpackRow(weight + o * rowBytes, C, layout.bits, codes);
      uint8_t* lane = panel + o % ROWS;
      for (size_t c = 0; c < C; c++) {
        if (!layout.nibbles) lane[c * ROWS] = codes[c];
        else if (c % 2 == 0) lane[c / 2 * ROWS] = codes[c];
        else lane[c / 2 * ROWS] |= static_cast<uint8_t>(codes[c] << 4);
      }
    }
  });
}

/// The weights of LANES rows of channel c of a panel, from row `r` on, less their zero points.
template <bool NIBBLES>
inline F centredWeights(const uint8_t* panel, size_t c, size_t r, const float* zero) {
  const uint8_t* bytes = panel + (NIBBLES ? c / 2 : c) * ROWS + r;
  const F weights = !NIBBLES ? loadWhole(bytes) : c % 2 == 0 ? loadLowNibbles(bytes) : loadHighNibbles(bytes);
  return sub(weights, load(zero + r));
}

/// columns[c][16] of the channels [from, to) of a panel, `stride` floats from channel to channel.
template <bool NIBBLES>
void unpackFloats(const uint8_t* panel, const float* zero, size_t from, size_t to, float* columns, size_t stride) {
  for (size_t c = from; c < to; c++, columns += stride) {
    for (size_t r = 0; r < ROWS; r += LANES) store(columns + r, centredWeights<NIBBLES>(panel, c, r, zero));
  }
}

/// One token with one panel: y[16] = sum_c x[c] (w - zero), weights unpacked in registers.
template <bool NIBBLES>
void panelSums(const uint8_t* panel, const float* zero, const float* x, size_t C, float* y) {
  F even[PANEL_VECTORS], odd[PANEL_VECTORS];
  for (size_t v = 0; v < PANEL_VECTORS; v++) even[v] = odd[v] = broadcast(0);
  size_t c = 0;
  for (; c + 2 <= C; c += 2) {
    for (size_t v = 0; v < PANEL_VECTORS; v++) {
      even[v] = mulAdd(broadcast(x[c]), centredWeights<NIBBLES>(panel, c, v * LANES, zero), even[v]);
      odd[v] = mulAdd(broadcast(x[c + 1]), centredWeights<NIBBLES>(panel, c + 1, v * LANES, zero), odd[v]);
    }
  }
  for (size_t v = 0; v < PANEL_VECTORS; v++) {
    if (c < C) even[v] = mulAdd(broadcast(x[c]), centredWeights<NIBBLES>(panel, c, v * LANES, zero), even[v]);
    store(y + v * LANES, add(even[v], odd[v]));
  }
}

struct FloatPacked {
  FloatPackedLayout layout;
  const float *scale, *zero, *bias;
  const uint8_t* weights;

  FloatPacked(const FloatPackedLayout& l, const uint8_t* base)
      : layout(l),
        scale(reinterpret_cast<const float*>(base)),
        zero(reinterpret_cast<const float*>(base + l.rowZero)),
        bias(reinterpret_cast<const float*>(base + l.bias)),
        weights(base + l.weights) {}
  const uint8_t* panel(size_t p) const { return weights + p * layout.panelBytes(); }
};

template <bool NIBBLES>
void packedOneToken(const Call& call, const FloatPacked& packed, const float* x, float* y) {
  const size_t O = packed.layout.O, C = packed.layout.C;
  parallelRanges(call, packed.layout.panels, 1 + 16384 / (C + 1), [&](size_t from, size_t to) {
    for (size_t p = from; p < to; p++) {
      float sums[ROWS];
      panelSums<NIBBLES>(packed.panel(p), packed.zero + p * ROWS, x, C, sums);
      for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
        y[o] = sums[o % ROWS] * packed.scale[o] + packed.bias[o];
      }
    }
  });
}

template <bool NIBBLES>
void packedManyTokens(const Call& call, const FloatPacked& packed, const float* x, float* y, size_t N) {
  const size_t O = packed.layout.O, C = packed.layout.C, stride = spreadStride(C);
  // A tile's columns are at least a panel's rows, or a whole part of them.
  constexpr size_t width = TILE_COLUMNS > ROWS ? TILE_COLUMNS : ROWS;
  auto* panels = scratchOf<float>(call, threadCount(call) * K_BLOCK * width);
  auto* rows = scratchOf<float>(call, N * stride);
  spreadRows(call, x, N, C, rows);
  parallel(call, divideUp(O, width), [&](size_t group, unsigned thread) {
    float* columns = panels + thread * K_BLOCK * width;
    const size_t first = group * width, count = smallerSize(width, O - first);
    for (size_t k = 0; k < C; k += K_BLOCK) {
      const size_t depth = smallerSize(K_BLOCK, C - k);
      for (size_t r = 0; r < count; r += ROWS) {
        const uint8_t* panel = packed.panel((first + r) / ROWS);
        unpackFloats<NIBBLES>(panel, packed.zero + first + r, k, k + depth, columns + r, width);
      }
      for (size_t r = 0; r < count; r += TILE_COLUMNS) {
        tiles(rows + k, stride, columns + r, width, depth, y + first + r, O, N, smallerSize(TILE_COLUMNS, count - r),
              k > 0);
      }
    }
    for (size_t n = 0; n < N; n++) {
      float* row = y + n * O + first;
      for (size_t r = 0; r < count; r++) row[r] = row[r] * packed.scale[first + r] + packed.bias[first + r];
    }
  });
}

/// linear_packed_f32. Operands x, packed, y; numbers O, C, weightBits, N.
template <bool NIBBLES>
void runPacked(const Call& call, const FloatPacked& packed) {
  const auto* x = operand<float>(call, 0);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 3);
  if (N > FEW_ROWS) return packedManyTokens<NIBBLES>(call, packed, x, y, N);
  for (size_t n = 0; n < N; n++) {
    packedOneToken<NIBBLES>(call, packed, x + n * packed.layout.C, y + n * packed.layout.O);
  }
}
void linearPacked(const Call& call) {
  const FloatPackedLayout layout(call.numbers);
  const FloatPacked packed(layout, operand<uint8_t>(call, 1));
  if (layout.nibbles) runPacked<true>(call, packed);
  else runPacked<false>(call, packed);
}
