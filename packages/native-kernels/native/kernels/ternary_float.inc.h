// linear_ternary_f32: ternary weights against float activations. Channels are sorted by class of weights. 16 rows make a
// panel: with F = 4 channels to a byte for T = 1, or 2 for more steps, each 16 bytes hold k + T of F channels, a byte a
// row, padded with channels whose input is 0. A product with -1, 0 or 1 is exact, so a multiply-add is an addition.

struct TernaryFloatLayout {
  TernaryChannels channels;
  size_t O, panels, padded, panelBytes;
  size_t from[7], offset[7];              // of a class: its first padded channel, its first byte in a panel
  size_t bias, order, weights, bytes;     // offsets; scales [W, rows] come first

  /// Numbers O, then the channels.
  explicit TernaryFloatLayout(const double* numbers)
      : channels(numbers + 1), O(static_cast<size_t>(numbers[0])), panels(divideUp(O, ROWS)), padded(0), panelBytes(0) {
    for (size_t w = 0; w < channels.W; w++) {
      const size_t fields = 8 / static_cast<size_t>(channels.bits[w]), count = roundUp(channels.counts[w], fields);
      from[w] = padded;
      offset[w] = panelBytes;
      padded += count;
      panelBytes += count / fields * ROWS;
    }
    bias = channels.W * panels * ROWS * sizeof(float);
    order = bias + panels * ROWS * sizeof(float);
    weights = roundUp(order + padded * sizeof(int32_t), 64);
    bytes = weights + panels * panelBytes;
  }
  size_t channelsOf(size_t w) const { return (w + 1 < channels.W ? from[w + 1] : padded) - from[w]; }
};

/// pack_linear_ternary. Operands weightSteps, weight, weightScale, bias, packed (zeros before); numbers O, the channels.
size_t ternaryFloatBytes(const double* numbers) { return TernaryFloatLayout(numbers).bytes; }
void packTernaryFloat(const Call& call) {
  const TernaryFloatLayout layout(call.numbers);
  const TernaryChannels& channels = layout.channels;
  const auto* weight = operand<uint8_t>(call, 1);
  const auto* scale = operand<float>(call, 2);
  const auto* bias = operand<float>(call, 3);
  auto* base = operand<uint8_t>(call, 4);
  const size_t W = channels.W, rows = layout.panels * ROWS;
  if (bias != nullptr) std::memcpy(base + layout.bias, bias, layout.O * sizeof(float));

  // The channel at each padded place, -1 at padding.
  auto* order = reinterpret_cast<int32_t*>(base + layout.order);
  auto* places = scratchOf<int32_t>(call, channels.C);
  auto* sorted = scratchOf<int32_t>(call, channels.C);
  placeChannels(channels, operand<uint8_t>(call, 0), places);
  for (size_t c = 0; c < channels.C; c++) sorted[c] = -1;
  for (size_t c = 0; c < channels.C; c++) {
    if (places[c] >= 0) sorted[places[c]] = static_cast<int32_t>(c);
  }
  for (size_t w = 0, at = 0; w < W; w++) {
    for (size_t j = 0; j < layout.channelsOf(w); j++) {
      order[layout.from[w] + j] = j < channels.counts[w] ? sorted[at++] : -1;
    }
  }

  const size_t room = channels.E + channels.C;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t *trits = rowsOfThreads + thread * room, *sums = trits + channels.E;
    for (size_t o = p * ROWS; o < smallerSize(layout.O, (p + 1) * ROWS); o++) {
      sumTrits(channels, weight + o * channels.rowBytes(), trits, sums);
      const uint8_t* code = sums;
      for (size_t w = 0; w < W; w++) {
        reinterpret_cast<float*>(base)[w * rows + o] = scale[o * W + w];
        uint8_t* panel = base + layout.weights + p * layout.panelBytes + layout.offset[w] + o % ROWS;
        const auto bits = static_cast<size_t>(channels.bits[w]), fields = 8 / bits;
        for (size_t j = 0; j < channels.counts[w]; j++) {
          uint8_t* byte = panel + j / fields * ROWS;
          *byte = static_cast<uint8_t>(*byte | *code++ << (j % fields * bits));
        }
      }
    }
  });
}

/// k of LANES rows, from the bytes of the channels that share them.
template <int BITS, int FIELD>
inline F ternaryWeights(const uint8_t* bytes, F steps) {
  if constexpr (BITS == 2) return loadTrits<FIELD>(bytes);
  else return sub(FIELD == 0 ? loadLowNibbles(bytes) : loadHighNibbles(bytes), steps);
}
/// use(channel, row, weights) for all channels of a class of a panel, LANES rows at a time.
template <int BITS, class Use>
inline void eachWeight(const uint8_t* panel, size_t channels, int T, const Use& use) {
  constexpr size_t FIELDS = 8 / BITS;
  const F steps = broadcast(static_cast<float>(T));
  for (size_t c = 0; c < channels; c += FIELDS, panel += ROWS) {
    for (size_t r = 0; r < ROWS; r += LANES) {
      use(c, r, ternaryWeights<BITS, 0>(panel + r, steps));
      use(c + 1, r, ternaryWeights<BITS, 1>(panel + r, steps));
      if constexpr (BITS == 2) {
        use(c + 2, r, ternaryWeights<BITS, 2>(panel + r, steps));
        use(c + 3, r, ternaryWeights<BITS, 3>(panel + r, steps));
      }
    }
  }
}

/// A packed layer and inputs that are sorted as its channels are.
struct TernaryFloat {
  TernaryFloatLayout layout;
  const float *scale, *bias;
  const int32_t* order;
  const uint8_t* weights;

  TernaryFloat(const TernaryFloatLayout& l, const uint8_t* base)
      : layout(l),
        scale(reinterpret_cast<const float*>(base)),
        bias(reinterpret_cast<const float*>(base + l.bias)),
        order(reinterpret_cast<const int32_t*>(base + l.order)),
        weights(base + l.weights) {}
  const uint8_t* panel(size_t p, size_t w) const { return weights + p * layout.panelBytes + layout.offset[w]; }
  const float* scales(size_t w, size_t row) const { return scale + w * layout.panels * ROWS + row; }

  /// Rows of inputs in sorted order, `stride` floats apart.
  void sort(const Call& call, const float* x, size_t N, size_t stride, float* rows) const {
    parallelRanges(call, N, rowGrain(layout.padded), [&](size_t first, size_t last) {
      for (size_t n = first; n < last; n++) {
        const float* row = x + n * layout.channels.C;
        for (size_t c = 0; c < layout.padded; c++) rows[n * stride + c] = order[c] < 0 ? 0 : row[order[c]];
      }
    });
  }
};

/// sums[16] of one token with a class of a panel.
template <int BITS>
void ternarySums(const uint8_t* panel, const float* x, size_t channels, int T, float* sums) {
  F even[PANEL_VECTORS], odd[PANEL_VECTORS];
  for (size_t v = 0; v < PANEL_VECTORS; v++) even[v] = odd[v] = broadcast(0);
  eachWeight<BITS>(panel, channels, T, [&](size_t c, size_t r, F weights) {
    F& sum = c % 2 == 0 ? even[r / LANES] : odd[r / LANES];
    sum = mulAdd(broadcast(x[c]), weights, sum);
  });
  for (size_t v = 0; v < PANEL_VECTORS; v++) store(sums + v * LANES, add(even[v], odd[v]));
}

void ternaryOneToken(const Call& call, const TernaryFloat& packed, const float* x, float* y) {
  const TernaryFloatLayout& layout = packed.layout;
  const size_t grain = 1 + layout.panels / (4 * threadCount(call));
  parallelRanges(call, layout.panels, grain, [&](size_t from, size_t to) {
    for (size_t p = from; p < to; p++) {
      float totals[ROWS] = {};
      for (size_t w = 0; w < layout.channels.W; w++) {
        float sums[ROWS];
        const int T = layout.channels.steps[w];
        const auto classSums = layout.channels.bits[w] == 2 ? ternarySums<2> : ternarySums<4>;
        classSums(packed.panel(p, w), x + layout.from[w], layout.channelsOf(w), T, sums);
        for (size_t r = 0; r < ROWS; r++) totals[r] += sums[r] * packed.scales(w, p * ROWS)[r];
      }
      for (size_t o = p * ROWS; o < smallerSize(layout.O, (p + 1) * ROWS); o++) y[o] = totals[o % ROWS] + packed.bias[o];
    }
  });
}

/// columns[c][16] = k scale of some channels of a class of a panel, `stride` floats from channel to channel.
template <int BITS>
void unpackTernary(const uint8_t* panel, size_t channels, int T, const float* scales, float* columns, size_t stride) {
  eachWeight<BITS>(panel, channels, T, [&](size_t c, size_t r, F weights) {
    store(columns + c * stride + r, mul(weights, load(scales + r)));
  });
}

void ternaryManyTokens(const Call& call, const TernaryFloat& packed, const float* rows, size_t stride, float* y,
                       size_t N) {
  const TernaryFloatLayout& layout = packed.layout;
  const size_t O = layout.O;
  constexpr size_t width = TILE_COLUMNS > ROWS ? TILE_COLUMNS : ROWS;
  auto* panels = scratchOf<float>(call, threadCount(call) * K_BLOCK * width);
  parallel(call, divideUp(O, width), [&](size_t group, unsigned thread) {
    float* columns = panels + thread * K_BLOCK * width;
    const size_t first = group * width, count = smallerSize(width, O - first);
    for (size_t w = 0; w < layout.channels.W; w++) {
      const int T = layout.channels.steps[w];
      const size_t fields = 8 / static_cast<size_t>(layout.channels.bits[w]), end = layout.channelsOf(w);
      const auto unpack = fields == 4 ? unpackTernary<2> : unpackTernary<4>;
      for (size_t k = 0; k < end; k += K_BLOCK) {
        const size_t depth = smallerSize(K_BLOCK, end - k);
        for (size_t r = 0; r < count; r += ROWS) {
          const uint8_t* panel = packed.panel((first + r) / ROWS, w) + k / fields * ROWS;
          unpack(panel, depth, T, packed.scales(w, first + r), columns + r, width);
        }
        for (size_t r = 0; r < count; r += TILE_COLUMNS) {
          tiles(rows + layout.from[w] + k, stride, columns + r, width, depth, y + first + r, O, N,
                smallerSize(TILE_COLUMNS, count - r), w + k > 0);
        }
      }
    }
    for (size_t n = 0; n < N; n++) {
      for (size_t o = first; o < first + count; o++) y[n * O + o] += packed.bias[o];
    }
  });
}

/// linear_ternary_f32. Operands x, packed, y; numbers O, the channels, then N.
void linearTernary(const Call& call) {
  const TernaryFloat packed(TernaryFloatLayout(call.numbers), operand<uint8_t>(call, 1));
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 2 + packed.layout.channels.longest), stride = spreadStride(packed.layout.padded);
  auto* rows = scratchOf<float>(call, N * stride);
  packed.sort(call, operand<float>(call, 0), N, stride, rows);
  if (N > FEW_ROWS) return ternaryManyTokens(call, packed, rows, stride, y, N);
  for (size_t n = 0; n < N; n++) ternaryOneToken(call, packed, rows + n * stride, y + n * packed.layout.O);
}
