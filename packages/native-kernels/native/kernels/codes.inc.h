// Linear layers on codes: I = sum code w - rowZero sum code - zero sum (w - rowZero), all whole numbers. The first sum is
// taken in int32 lanes (at most PIECE products of 255 * 255), the rest in double, exact below 2^53.

/// Panels that are unpacked together, and tokens that then pass over them.
constexpr size_t GROUP = 4;
constexpr size_t TOKEN_BLOCK = 192;
/// Bytes of weights that a thread reads before it looks whether others have some left.
constexpr size_t STREAM_PIECE = 65536;
/// Tokens up to which weights are unpacked in registers, each time they are read. A page, which downloads the kernels and
/// talks to one person, has that for one token only.
#if defined(__wasm__)
constexpr size_t FEW_TOKENS = 1;
#else
constexpr size_t FEW_TOKENS = 4;
#endif

/// What a kernel needs of one linear.
struct CodesCall {
  PackedCodes packed;
  CodePlanes planes;
  const float* scale;
  const int32_t* zero;
  float* y;
  const float* add;  // [N, O], null where y is the linear alone
  size_t N;
  const Gif& gif;

  /// Whether the codes of a segment need the high plane.
  bool wide(const Segment& segment) const {
    return planes.high != nullptr && gif.maxCode(gif.classes[segment.codeClass]) > 255;
  }

  /// totals += scale rowScale I for `rows` rows of a token, given its integer products.
  void settle(size_t n, size_t g, size_t row, size_t rows, const int32_t* low, const int32_t* high,
              double* totals) const {
    const Segment& segment = packed.segments[g];
    const size_t s = n * packed.layout.S + static_cast<size_t>(segment.codeClass);
    const size_t height = packed.layout.panels * ROWS;
    const double offset = high == nullptr ? CODE_OFFSET : CODE_OFFSET * 257;
    const double unit = scale[s], z = zero[s] - offset;
    const double codeSum = planes.sums[n * packed.count + g] - offset * segment.channels;
    const float* rowScale = packed.rowScale + static_cast<size_t>(segment.weightClass) * height + row;
    const double* rowZero = packed.rowZero + static_cast<size_t>(segment.zero) * height + row;
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

  void finish(size_t row, size_t rows, const double* totals, float* to) const {
    for (size_t r = 0; r < rows; r++) to[r] = static_cast<float>(totals[r]) + packed.bias[row + r];
  }
  void write(size_t n, size_t row, size_t rows, const double* totals) const {
    const size_t at = n * packed.layout.O + row;
    finish(row, rows, totals, y + at);
    if (add == nullptr) return;
    for (size_t r = 0; r < rows; r++) y[at + r] += add[at + r];
  }
};

/// Linears on the same codes. Where there is a gate, they are two of one size, and y of the first is what it makes of both.
struct CodesCalls {
  const CodesCall* linears;
  size_t count;
  GateAll gate;

  /// Pieces of `each` panels, of one linear after the other.
  size_t pieces(size_t each) const {
    size_t sum = 0;
    for (size_t i = 0; i < (gate != nullptr ? 1 : count); i++) sum += divideUp(linears[i].packed.layout.panels, each);
    return sum;
  }
  /// The linear of a piece; `piece` becomes its place in it.
  const CodesCall& linearOf(size_t& piece, size_t each) const {
    const CodesCall* linear = linears;
    for (size_t own; piece >= (own = divideUp(linear->packed.layout.panels, each)); linear++) piece -= own;
    return *linear;
  }
  /// `up` is null where the linear stands alone.
  void write(const CodesCall& linear, size_t n, size_t row, size_t rows, const double* totals, const double* up) const {
    if (gate == nullptr) return linear.write(n, row, rows, totals);
    float opening[GROUP * ROWS], other[GROUP * ROWS];
    linear.finish(row, rows, totals, opening);
    linears[1].finish(row, rows, up, other);
    gate(opening, other, rows, linear.y + n * linear.packed.layout.O + row);
  }
};

/// What TOKENS tokens sum to with one panel.
template <int TOKENS, bool NARROW>
void panelTotals(const CodesCall& c, size_t p, double (*totals)[ROWS]) {
  const PackedCodes& packed = c.packed;
  std::memset(totals, 0, TOKENS * sizeof *totals);
  for (size_t g = 0; g < packed.count; g++) {
    const Segment& segment = packed.segments[g];
    const uint8_t* weights = packed.panel(p) + segment.offset;
    const auto at = static_cast<size_t>(segment.at), channels = static_cast<size_t>(segment.padded);
    int32_t low[TOKENS * ROWS], high[TOKENS * ROWS];
    segmentProducts<TOKENS, NARROW>(segment.bits, weights, c.planes.low + at, packed.padded, channels, low);
    const bool wide = c.wide(segment);
    if (wide) segmentProducts<TOKENS, NARROW>(segment.bits, weights, c.planes.high + at, packed.padded, channels, high);
    for (int m = 0; m < TOKENS; m++) {
      c.settle(m, g, p * ROWS, ROWS, low + m * ROWS, wide ? high + m * ROWS : nullptr, totals[m]);
    }
  }
}

/// A call of TOKENS tokens, panel by panel.
template <int TOKENS, bool NARROW>
void fewTokens(const Call& call, const CodesCalls& all) {
  const size_t grain = 1 + STREAM_PIECE / (all.linears->packed.stride + 1);
  parallelStreams(call, all.pieces(1), grain, [&](size_t from, size_t to) {
    for (size_t piece = from; piece < to; piece++) {
      size_t p = piece;
      const CodesCall& c = all.linearOf(p, 1);
      double totals[TOKENS][ROWS], up[TOKENS][ROWS];
      panelTotals<TOKENS, NARROW>(c, p, totals);
      if (all.gate != nullptr) panelTotals<TOKENS, NARROW>(all.linears[1], p, up);
      const size_t rows = smallerSize(ROWS, c.packed.layout.O - p * ROWS);
      for (int m = 0; m < TOKENS; m++) all.write(c, m, p * ROWS, rows, totals[m], up[m]);
    }
  });
}

/// Products of TOKENS tokens with all rows of a group of unpacked panels, `panelStride` bytes apart: [TOKENS, 64].
/// SHORT: weights have up to 4 bits.
template <int TOKENS, bool NARROW, bool SHORT>
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
    const auto multiply = [&](I(&to)[TOKENS][CODE_VECTORS], size_t c) {
      I w[CODE_VECTORS];
      for (int v = 0; v < CODE_VECTORS; v++) w[v] = loadBytes(weights[v] + c * ROWS);
      UNROLL(8)
      for (int m = 0; m < TOKENS; m++) {
        const I code = broadcastBytes(codes + m * stride + c);
        for (int v = 0; v < CODE_VECTORS; v++) {
          to[m][v] = SHORT ? dotShort(to[m][v], code, w[v]) : dot<NARROW>(to[m][v], code, w[v]);
        }
      }
    };
    if constexpr (!SHORT) {
      for (size_t c = 0; c < channels; c += 4) multiply(products, c);
    } else {
      for (size_t c = 0; c < channels;) {
        const size_t end = smallerSize(channels, c + 4 * SHORT_STEPS);
        I shorts[TOKENS][CODE_VECTORS];
        for (int m = 0; m < TOKENS; m++) {
          for (int v = 0; v < CODE_VECTORS; v++) shorts[m][v] = zeros();
        }
        for (; c < end; c += 4) multiply(shorts, c);
        for (int m = 0; m < TOKENS; m++) {
          for (int v = 0; v < CODE_VECTORS; v++) products[m][v] = widen(products[m][v], shorts[m][v]);
        }
      }
    }
    for (int m = 0; m < TOKENS; m++) {
      for (int v = 0; v < CODE_VECTORS; v++) storeSums(sums + m * width + row + v * LANES, products[m][v]);
    }
  }
}

using GroupProducts = void (*)(const uint8_t*, size_t, const uint8_t*, size_t, size_t, int32_t*);
template <int TOKENS, bool NARROW, bool SHORT>
GroupProducts groupProductsOf(size_t tokens) {
  if constexpr (TOKENS == 1) return groupProducts<1, NARROW, SHORT>;
  else if (tokens == TOKENS) return groupProducts<TOKENS, NARROW, SHORT>;
  else return groupProductsOf<TOKENS - 1, NARROW, SHORT>(tokens);
}
template <bool NARROW>
GroupProducts groupProductsOf(size_t tokens, int bits) {
  if (bits <= 4) return groupProductsOf<CODE_TOKENS, true, (SHORT_STEPS > 0)>(tokens);
  return groupProductsOf<CODE_TOKENS, NARROW, false>(tokens);
}

/// What the tokens [from, to) sum to with the panels of a group: [to - from, 64]. `unpacked` is scratch.
template <bool NARROW>
void groupTotals(const CodesCall& c, size_t firstPanel, size_t from, size_t to, uint8_t* unpacked, double* totals) {
  constexpr size_t width = GROUP * ROWS;
  const PackedCodes& packed = c.packed;
  const size_t panels = smallerSize(GROUP, packed.layout.panels - firstPanel), rows = panels * ROWS;
  const size_t panelStride = smallerSize(PIECE, packed.padded) * ROWS;
  std::memset(totals, 0, (to - from) * width * sizeof(double));
  for (size_t g = 0; g < packed.count; g++) {
    const Segment& segment = packed.segments[g];
    const auto channels = static_cast<size_t>(segment.padded);
    for (size_t p = 0; p < panels; p++) {
      unpackSegment(segment, packed.panel(firstPanel + p), unpacked + p * panelStride);
    }
    const bool wide = c.wide(segment);
    for (size_t n = from; n < to; n += CODE_TOKENS) {
      const size_t tokens = smallerSize(CODE_TOKENS, to - n);
      const size_t at = n * packed.padded + static_cast<size_t>(segment.at);
      const auto products = groupProductsOf<NARROW>(tokens, segment.bits);
      int32_t low[CODE_TOKENS * width], high[CODE_TOKENS * width];
      products(unpacked, panelStride, c.planes.low + at, packed.padded, channels, low);
      if (wide) products(unpacked, panelStride, c.planes.high + at, packed.padded, channels, high);
      for (size_t m = 0; m < tokens; m++) {
        c.settle(n + m, g, firstPanel * ROWS, rows, low + m * width, wide ? high + m * width : nullptr,
                 totals + (n + m - from) * width);
      }
    }
  }
}

/// Many tokens: a group of panels is unpacked once for a block of them.
template <bool NARROW>
void manyTokens(const Call& call, const CodesCalls& all) {
  constexpr size_t width = GROUP * ROWS, block = TOKEN_BLOCK * width;
  const size_t N = all.linears->N, groups = all.pieces(GROUP), blocks = divideUp(N, TOKEN_BLOCK);
  const size_t room = GROUP * smallerSize(PIECE, all.linears->packed.padded) * ROWS;
  const size_t kept = all.gate != nullptr ? 2 : 1;
  auto* unpacked = scratchOf<uint8_t>(call, threadCount(call) * room);
  auto* allTotals = scratchOf<double>(call, threadCount(call) * kept * block);
  parallel(call, groups * blocks, [&](size_t item, unsigned thread) {
    size_t group = item / blocks;
    const CodesCall& c = all.linearOf(group, GROUP);
    const size_t first = group * GROUP, from = item % blocks * TOKEN_BLOCK, to = smallerSize(N, from + TOKEN_BLOCK);
    double *totals = allTotals + thread * kept * block, *up = totals + block;
    groupTotals<NARROW>(c, first, from, to, unpacked + thread * room, totals);
    if (all.gate != nullptr) groupTotals<NARROW>(all.linears[1], first, from, to, unpacked + thread * room, up);
    const size_t rows = smallerSize(width, c.packed.layout.O - first * ROWS);
    for (size_t n = from; n < to; n++) {
      const size_t at = (n - from) * width;
      all.write(c, n, first * ROWS, rows, totals + at, all.gate != nullptr ? up + at : nullptr);
    }
  });
}

template <bool NARROW>
void runCodes(const Call& call, const CodesCalls& all) {
  const size_t N = all.linears->N;
  if (N > FEW_TOKENS) return manyTokens<NARROW>(call, all);
  if constexpr (FEW_TOKENS == 4) {
    if (N == 4) fewTokens<4, NARROW>(call, all);
    if (N == 3) fewTokens<3, NARROW>(call, all);
    if (N == 2) fewTokens<2, NARROW>(call, all);
  }
  if (N == 1) fewTokens<1, NARROW>(call, all);
}

/// A layer on codes: operands codes, scale, zero, packed, y.
template <bool NARROW>
void linearOnCodes(const Call& call, const CodesLayout& layout, const Gif& gif, size_t N) {
  const PackedCodes packed(layout, operand<uint8_t>(call, 3));
  const CodePlanes planes = gif.wide() ? splitCodes(call, operand<uint16_t>(call, 0), N, packed)
                                       : splitCodes(call, operand<uint8_t>(call, 0), N, packed);
  const CodesCall linear{packed,  planes, operand<float>(call, 1), operand<int32_t>(call, 2), operand<float>(call, 4),
                         nullptr, N,      gif};
  runCodes<NARROW>(call, {&linear, 1, nullptr});
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
