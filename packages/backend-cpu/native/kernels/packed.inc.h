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
    bias = rowZero + panels * ROWS * sizeof(int32_t);
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
  std::memcpy(base + layout.rowZero, operand<int32_t>(call, 2), O * sizeof(int32_t));
  if (bias != nullptr) std::memcpy(base + layout.bias, bias, O * sizeof(float));
  const size_t rowBytes = divideUp(C * static_cast<size_t>(layout.bits), 8);
  parallelRanges(call, layout.panels, 1 + 4096 / (C + 1), [&](size_t from, size_t to) {
    for (size_t o = from * ROWS; o < smallerSize(O, to * ROWS); o++) {
      uint8_t* panel = base + layout.weights + o / ROWS * layout.panelBytes() + o % ROWS;
      for (size_t c = 0; c < C; c++) {
        const int code = unpackCode(weight + o * rowBytes, c, layout.bits);
        if (layout.nibbles) panel[c / 2 * ROWS] |= static_cast<uint8_t>(code << (c % 2 * 4));
        else panel[c * ROWS] = static_cast<uint8_t>(code);
      }
    }
  });
}

/// columns[c][16] = w - zero of the channels [from, to) of a panel, `stride` floats from channel to channel.
void unpackFloats(const uint8_t* panel, bool nibbles, const int32_t* zero, size_t from, size_t to, float* columns,
                  size_t stride) {
  for (size_t c = from; c < to; c++, columns += stride) {
    const uint8_t* bytes = panel + (nibbles ? c / 2 : c) * ROWS;
    const int shift = nibbles && c % 2 == 1 ? 4 : 0, mask = nibbles ? 15 : 255;
    for (size_t r = 0; r < ROWS; r++) {
      columns[r] = static_cast<float>((bytes[r] >> shift & mask) - zero[r]);
    }
  }
}

/// linear_packed_f32. Operands x, packed, y; numbers O, C, weightBits, N.
void linearPacked(const Call& call) {
  const FloatPackedLayout layout(call.numbers);
  const auto* x = operand<float>(call, 0);
  const auto* base = operand<uint8_t>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 3), O = layout.O, C = layout.C;
  const auto* scale = reinterpret_cast<const float*>(base);
  const auto* zero = reinterpret_cast<const int32_t*>(base + layout.rowZero);
  const auto* bias = reinterpret_cast<const float*>(base + layout.bias);
  // A tile's columns are at least a panel's rows, or a whole part of them.
  constexpr size_t width = TILE_COLUMNS > ROWS ? TILE_COLUMNS : ROWS;
  const size_t groups = divideUp(O, width);
  auto* panels = scratchOf<float>(call, threadCount(call) * K_BLOCK * width);
  parallel(call, groups, [&](size_t group, unsigned thread) {
    float* columns = panels + thread * K_BLOCK * width;
    const size_t first = group * width, count = smallerSize(width, O - first);
    for (size_t k = 0; k < C; k += K_BLOCK) {
      const size_t depth = smallerSize(K_BLOCK, C - k);
      for (size_t r = 0; r < count; r += ROWS) {
        const uint8_t* panel = base + layout.weights + (first + r) / ROWS * layout.panelBytes();
        unpackFloats(panel, layout.nibbles, zero + first + r, k, k + depth, columns + r, width);
      }
      for (size_t r = 0; r < count; r += TILE_COLUMNS) {
        tiles(x + k, C, columns + r, width, depth, y + first + r, O, N, smallerSize(TILE_COLUMNS, count - r), k > 0);
      }
    }
    for (size_t n = 0; n < N; n++) {
      float* row = y + n * O + first;
      for (size_t r = 0; r < count; r++) row[r] = row[r] * scale[first + r] + bias[first + r];
    }
  });
}
