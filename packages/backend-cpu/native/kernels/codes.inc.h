// Linear layers on codes: I = sum code w - rowZero sum code - zero sum (w - rowZero), all whole numbers. The first sum is
// taken in int32 lanes (at most PIECE products of 255 * 255), the rest in double, exact below 2^53.

/// Panels that are unpacked together, and tokens that then pass over them.
constexpr size_t GROUP = 4;
constexpr size_t TOKEN_BLOCK = 192;
/// Tokens up to which weights are unpacked in registers, each time they are read.
constexpr size_t FEW_TOKENS = 4;

/// Codes with the segments' padding, as bytes; wide codes in two planes.
struct CodePlanes {
  const uint8_t* low;
  const uint8_t* high;  // null where codes are bytes
  const double* sums;   // [N, segments]
};

/// A plane of a segment, zeros where it is padded: the bits of code(c) from SHIFT on; returns the sum of the codes.
template <int SHIFT, class Code>
uint32_t splitPlane(const Segment& segment, const Code& code, uint8_t* plane) {
  const auto channels = static_cast<size_t>(segment.channels), padded = static_cast<size_t>(segment.padded);
  uint32_t sum = 0;
  for (size_t c = 0; c < channels; c++) {
    const uint32_t value = code(c);
    plane[segment.at + c] = static_cast<uint8_t>(value >> SHIFT);
    sum += value;
  }
  for (size_t c = channels; c < padded; c++) plane[segment.at + c] = 0;
  return sum;
}
template <class Code>
uint32_t splitSegment(const Segment& segment, const Code& code, uint8_t* low, uint8_t* high) {
  if (high != nullptr) splitPlane<8>(segment, code, high);
  return splitPlane<0>(segment, code, low);
}

template <class Code>
CodePlanes splitCodes(const Call& call, const Code* codes, size_t N, const PackedCodes& packed) {
  const size_t C = packed.layout.C, padded = packed.padded;
  auto* low = scratchOf<uint8_t>(call, N * padded);
  auto* high = sizeof(Code) > 1 ? scratchOf<uint8_t>(call, N * padded) : nullptr;
  auto* sums = scratchOf<double>(call, N * packed.count);
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      uint8_t* lowRow = low + n * padded;
      uint8_t* highRow = high == nullptr ? nullptr : high + n * padded;
      for (size_t g = 0; g < packed.count; g++) {
        const Segment& segment = packed.segments[g];
        const Code* row = codes + n * C;
        if (packed.positions == nullptr) {
          const auto inOrder = [code = row + segment.from](size_t c) { return code[c]; };
          sums[n * packed.count + g] = splitSegment(segment, inOrder, lowRow, highRow);
        } else {
          const auto anywhere = [row, at = packed.positions + segment.from](size_t c) { return row[at[c]]; };
          sums[n * packed.count + g] = splitSegment(segment, anywhere, lowRow, highRow);
        }
      }
    }
  });
  return {low, high, sums};
}

/// What a kernel needs of one call.
struct CodesCall {
  PackedCodes packed;
  CodePlanes planes;
  const float* scale;
  const int32_t* zero;
  float* y;
  size_t N;
  /// Whether the codes of a class need the high plane.
  const bool* wideClass;

  bool wide(const Segment& segment) const { return planes.high != nullptr && wideClass[segment.codeClass]; }

  /// totals += scale rowScale I for `rows` rows of a token, given its integer products.
  void settle(size_t n, size_t g, size_t row, size_t rows, const int32_t* low, const int32_t* high,
              double* totals) const {
    const Segment& segment = packed.segments[g];
    const size_t s = n * packed.layout.S + static_cast<size_t>(segment.codeClass);
    const size_t height = packed.layout.panels * ROWS, r0 = static_cast<size_t>(segment.weightClass) * height + row;
    const double unit = scale[s], z = zero[s], codeSum = planes.sums[n * packed.count + g];
    const float* rowScale = packed.rowScale + r0;
    const double* rowZero = packed.rowZero + r0;
    const double* weightSums = packed.weightSums + g * height + row;
    if (high == nullptr) {
      for (size_t r = 0; r < rows; r++) {
        totals[r] += unit * rowScale[r] * (low[r] - rowZero[r] * codeSum - z * weightSums[r]);
      }
    } else {
      for (size_t r = 0; r < rows; r++) {
        totals[r] += unit * rowScale[r] * (low[r] + 256.0 * high[r] - rowZero[r] * codeSum - z * weightSums[r]);
      }
    }
  }

  void write(size_t n, size_t row, size_t rows, const double* totals) const {
    float* to = y + n * packed.layout.O + row;
    for (size_t r = 0; r < rows; r++) {
      to[r] = static_cast<float>(totals[r]) + packed.bias[row + r];
    }
  }
};

/// A call of TOKENS tokens, panel by panel.
template <int TOKENS, bool NARROW>
void fewTokens(const Call& call, const CodesCall& c) {
  const PackedCodes& packed = c.packed;
  // A thread reads a few long streams: a short one ends before the memory has come up to speed.
  const size_t grain = 1 + packed.layout.panels / (4 * threadCount(call));
  parallelRanges(call, packed.layout.panels, grain, [&](size_t from, size_t to) {
    for (size_t p = from; p < to; p++) {
      double totals[TOKENS][ROWS] = {};
      for (size_t g = 0; g < packed.count; g++) {
        const Segment& segment = packed.segments[g];
        const uint8_t* weights = packed.panel(p) + segment.offset;
        const auto at = static_cast<size_t>(segment.at);
        const auto channels = static_cast<size_t>(segment.padded);
        int32_t low[TOKENS * ROWS], high[TOKENS * ROWS];
        segmentProducts<TOKENS, NARROW>(segment.bits, weights, c.planes.low + at, packed.padded, channels, low);
        const bool wide = c.wide(segment);
        if (wide) {
          segmentProducts<TOKENS, NARROW>(segment.bits, weights, c.planes.high + at, packed.padded, channels, high);
        }
        for (int m = 0; m < TOKENS; m++) {
          c.settle(m, g, p * ROWS, ROWS, low + m * ROWS, wide ? high + m * ROWS : nullptr, totals[m]);
        }
      }
      for (int m = 0; m < TOKENS; m++) {
        c.write(m, p * ROWS, smallerSize(ROWS, packed.layout.O - p * ROWS), totals[m]);
      }
    }
  });
}

/// Products of TOKENS tokens with all rows of a group of unpacked panels, `panelStride` bytes apart: [TOKENS, 64].
template <int TOKENS, bool NARROW>
void groupProducts(const uint8_t* group, size_t panelStride, const uint8_t* codes, size_t stride, size_t channels,
                   int32_t* sums) {
  constexpr size_t width = GROUP * ROWS;
  for (size_t row = 0; row < width; row += CODE_VECTORS * LANES) {
    const uint8_t* weights[CODE_VECTORS];
    for (int v = 0; v < CODE_VECTORS; v++) {
      const size_t r = row + v * LANES;
      weights[v] = group + r / ROWS * panelStride + r % ROWS * 4;
    }
    I products[TOKENS][CODE_VECTORS];
    for (int m = 0; m < TOKENS; m++) {
      for (int v = 0; v < CODE_VECTORS; v++) products[m][v] = zeros();
    }
    for (size_t c = 0; c < channels; c += 4) {
      I w[CODE_VECTORS];
      for (int v = 0; v < CODE_VECTORS; v++) w[v] = loadBytes(weights[v] + c * ROWS);
      UNROLL(8)
      for (int m = 0; m < TOKENS; m++) {
        const I code = broadcastBytes(codes + m * stride + c);
        for (int v = 0; v < CODE_VECTORS; v++) products[m][v] = dot<NARROW>(products[m][v], code, w[v]);
      }
    }
    for (int m = 0; m < TOKENS; m++) {
      for (int v = 0; v < CODE_VECTORS; v++) storeSums(sums + m * width + row + v * LANES, products[m][v]);
    }
  }
}

using GroupProducts = void (*)(const uint8_t*, size_t, const uint8_t*, size_t, size_t, int32_t*);
template <int TOKENS, bool NARROW>
GroupProducts groupProductsOf(size_t tokens) {
  if constexpr (TOKENS == 1) return groupProducts<1, NARROW>;
  else return tokens == TOKENS ? groupProducts<TOKENS, NARROW> : groupProductsOf<TOKENS - 1, NARROW>(tokens);
}

/// Many tokens: a group of panels is unpacked once for a block of them.
template <bool NARROW>
void manyTokens(const Call& call, const CodesCall& c) {
  constexpr size_t width = GROUP * ROWS;
  const PackedCodes& packed = c.packed;
  const size_t groups = divideUp(packed.layout.panels, GROUP), blocks = divideUp(c.N, TOKEN_BLOCK);
  const size_t panelStride = smallerSize(PIECE, packed.padded) * ROWS;
  const unsigned threads = threadCount(call);
  auto* unpacked = scratchOf<uint8_t>(call, threads * GROUP * panelStride);
  auto* allTotals = scratchOf<double>(call, threads * TOKEN_BLOCK * width);
  parallel(call, groups * blocks, [&](size_t item, unsigned thread) {
    uint8_t* group = unpacked + thread * GROUP * panelStride;
    double* totals = allTotals + thread * TOKEN_BLOCK * width;
    const size_t first = item / blocks * GROUP, from = item % blocks * TOKEN_BLOCK;
    const size_t panels = smallerSize(GROUP, packed.layout.panels - first);
    const size_t rows = panels * ROWS, to = smallerSize(c.N, from + TOKEN_BLOCK);
    std::memset(totals, 0, TOKEN_BLOCK * width * sizeof(double));
    for (size_t g = 0; g < packed.count; g++) {
      const Segment& segment = packed.segments[g];
      const auto channels = static_cast<size_t>(segment.padded);
      for (size_t p = 0; p < panels; p++) {
        unpackSegment(segment, packed.panel(first + p), group + p * panelStride);
      }
      const bool wide = c.wide(segment);
      for (size_t n = from; n < to; n += CODE_TOKENS) {
        const size_t tokens = smallerSize(CODE_TOKENS, to - n);
        const size_t at = n * packed.padded + static_cast<size_t>(segment.at);
        const auto products = groupProductsOf<CODE_TOKENS, NARROW>(tokens);
        int32_t low[CODE_TOKENS * width], high[CODE_TOKENS * width];
        products(group, panelStride, c.planes.low + at, packed.padded, channels, low);
        if (wide) products(group, panelStride, c.planes.high + at, packed.padded, channels, high);
        for (size_t m = 0; m < tokens; m++) {
          c.settle(n + m, g, first * ROWS, rows, low + m * width, wide ? high + m * width : nullptr,
                   totals + (n + m - from) * width);
        }
      }
    }
    const size_t written = smallerSize(rows, packed.layout.O - first * ROWS);
    for (size_t n = from; n < to; n++) c.write(n, first * ROWS, written, totals + (n - from) * width);
  });
}

template <bool NARROW>
void runCodes(const Call& call, const CodesCall& c) {
  if (c.N > FEW_TOKENS) return manyTokens<NARROW>(call, c);
  if (c.N == 4) fewTokens<4, NARROW>(call, c);
  if (c.N == 3) fewTokens<3, NARROW>(call, c);
  if (c.N == 2) fewTokens<2, NARROW>(call, c);
  if (c.N == 1) fewTokens<1, NARROW>(call, c);
}

/// A layer on codes: operands codes, scale, zero, packed, y.
template <bool NARROW>
void linearOnCodes(const Call& call, const CodesLayout& layout, const Gif& gif, size_t N) {
  const PackedCodes packed(layout, operand<uint8_t>(call, 3));
  bool wideClass[5];
  for (size_t s = 0; s < gif.S; s++) wideClass[s] = gif.maxCode(gif.classes[s]) > 255;
  const CodePlanes planes = gif.wide() ? splitCodes(call, operand<uint16_t>(call, 0), N, packed)
                                       : splitCodes(call, operand<uint8_t>(call, 0), N, packed);
  runCodes<NARROW>(call, CodesCall{packed, planes, operand<float>(call, 1), operand<int32_t>(call, 2),
                                   operand<float>(call, 4), N, wideClass});
}

/// linear_codes_f32. Operands codes, scale, zero, packed, y;
/// numbers O, C, weightBits, S, then the GIF format, then N.
void linearCodes(const Call& call) {
  const CodesLayout layout = linearCodesLayout(call.numbers);
  const Gif gif = readGif(call.numbers + 4);
  const size_t N = size(call, static_cast<int>(7 + gif.S));
  if (call.numbers[2] <= 7) linearOnCodes<true>(call, layout, gif, N);
  else linearOnCodes<false>(call, layout, gif, N);
}
