// linear_ternary_f32: ternary weights against float activations. Channels are sorted by class of weights. 16 rows make a
// panel: with F = 4 channels to a byte for T = 1, or 2 for more steps, each 16 bytes hold k + T of F channels, a byte a
// row, padded with channels whose input is 0. A product with -1, 0 or 1 is exact, so a multiply-add is an addition.

/// Channels of one class, which share a scale of each row.
struct FloatSegment {
  int32_t steps;
  int32_t channels;  // with padding
  int32_t from;      // first channel, padded
  int32_t offset;    // first byte in a panel
  size_t fields() const { return 8 / static_cast<size_t>(tritSumBits(steps)); }
};
struct FloatHeader {
  uint64_t padded;      // channels
  uint64_t panelBytes;  // from panel to panel
};

struct TernaryFloatLayout {
  TernaryChannels channels;
  size_t O, panels;
  size_t segments, scale, bias, order, weights, bytes;  // offsets; the header comes first

  /// Numbers O, then the channels.
  explicit TernaryFloatLayout(const double* numbers)
      : channels(numbers + 1), O(static_cast<size_t>(numbers[0])), panels(divideUp(O, ROWS)) {
    // Padding of a class is at most 3 channels, and less than the 16 bytes that the last of them stand in.
    size_t padded = 3 * channels.W, panel = ROWS * channels.W;
    for (int T = 1; T <= channels.longest; T++) {
      padded += channels.count(T);
      panel += divideUp(channels.count(T) * ROWS * static_cast<size_t>(tritSumBits(T)), 8);
    }
    segments = 64;
    scale = roundUp(segments + channels.W * sizeof(FloatSegment), 64);
    bias = scale + channels.W * panels * ROWS * sizeof(float);
    order = bias + panels * ROWS * sizeof(float);
    weights = roundUp(order + padded * sizeof(int32_t), 64);
    bytes = weights + panels * panel;
  }
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

  const TernaryOrder sorted(call, channels, operand<uint8_t>(call, 0));
  auto* segments = reinterpret_cast<FloatSegment*>(base + layout.segments);
  FloatHeader header{0, 0};
  auto* next = scratchOf<int32_t>(call, W);
  for (size_t w = 0; w < W; w++) {
    const auto [T, count] = sorted.classes[w];
    FloatSegment& segment = segments[w] = {T, 0, static_cast<int32_t>(header.padded),
                                           static_cast<int32_t>(header.panelBytes)};
    segment.channels = static_cast<int32_t>(roundUp(static_cast<size_t>(count), segment.fields()));
    next[w] = segment.from;
    header.padded += static_cast<size_t>(segment.channels);
    header.panelBytes += static_cast<size_t>(segment.channels) / segment.fields() * ROWS;
  }
  *reinterpret_cast<FloatHeader*>(base) = header;
  // Of each padded place: the channel of x, and its place in a row of weights; -1 at padding.
  auto* order = reinterpret_cast<int32_t*>(base + layout.order);
  auto* places = scratchOf<int32_t>(call, header.padded);
  for (size_t i = 0; i < header.padded; i++) order[i] = places[i] = -1;
  for (size_t v = 0; v < channels.channels; v++) {
    if (sorted.classOf[v] < 0) continue;
    const int32_t at = next[sorted.classOf[v]]++;
    order[at] = static_cast<int32_t>(v % channels.C);
    places[at] = sorted.places[v];
  }

  const size_t room = channels.E + channels.channels;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t *trits = rowsOfThreads + thread * room, *sums = trits + channels.E;
    for (size_t o = p * ROWS; o < smallerSize(layout.O, (p + 1) * ROWS); o++) {
      sumTrits(channels, weight + o * channels.rowBytes(), trits, sums);
      for (size_t w = 0; w < W; w++) {
        const FloatSegment& segment = segments[w];
        reinterpret_cast<float*>(base + layout.scale)[w * rows + o] = scale[o * W + w];
        uint8_t* panel = base + layout.weights + p * header.panelBytes + static_cast<size_t>(segment.offset) + o % ROWS;
        const size_t fields = segment.fields(), bits = 8 / fields;
        for (size_t j = 0; j < static_cast<size_t>(segment.channels); j++) {
          const int32_t place = places[static_cast<size_t>(segment.from) + j];
          if (place < 0) break;
          uint8_t* byte = panel + j / fields * ROWS;
          *byte = static_cast<uint8_t>(*byte | sums[place] << (j % fields * bits));
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
  size_t padded, panelBytes;
  const FloatSegment* segments;  // [W]
  const float *scale, *bias;
  const int32_t* order;
  const uint8_t* weights;

  TernaryFloat(const TernaryFloatLayout& l, const uint8_t* base)
      : layout(l),
        segments(reinterpret_cast<const FloatSegment*>(base + l.segments)),
        scale(reinterpret_cast<const float*>(base + l.scale)),
        bias(reinterpret_cast<const float*>(base + l.bias)),
        order(reinterpret_cast<const int32_t*>(base + l.order)),
        weights(base + l.weights) {
    const auto& header = *reinterpret_cast<const FloatHeader*>(base);
    padded = header.padded;
    panelBytes = header.panelBytes;
  }
  const uint8_t* panel(size_t p, size_t w) const {
    return weights + p * panelBytes + static_cast<size_t>(segments[w].offset);
  }
  const float* scales(size_t w, size_t row) const { return scale + w * layout.panels * ROWS + row; }

  /// Rows of inputs in sorted order, `stride` floats apart.
  void sort(const Call& call, const float* x, size_t N, size_t stride, float* rows) const {
    parallelRanges(call, N, rowGrain(padded), [&](size_t first, size_t last) {
      for (size_t n = first; n < last; n++) {
        const float* row = x + n * layout.channels.C;
        for (size_t c = 0; c < padded; c++) rows[n * stride + c] = order[c] < 0 ? 0 : row[order[c]];
      }
    });
  }
};

/// totals[16] += scales times the sums of one token with a class of a panel.
template <int BITS>
void addTernarySums(const uint8_t* panel, const float* x, size_t channels, int T, const float* scales, F* totals) {
  F even[PANEL_VECTORS], odd[PANEL_VECTORS];
  for (size_t v = 0; v < PANEL_VECTORS; v++) even[v] = odd[v] = broadcast(0);
  eachWeight<BITS>(panel, channels, T, [&](size_t c, size_t r, F weights) {
    F& sum = c % 2 == 0 ? even[r / LANES] : odd[r / LANES];
    sum = mulAdd(broadcast(x[c]), weights, sum);
  });
  for (size_t v = 0; v < PANEL_VECTORS; v++) {
    totals[v] = mulAdd(add(even[v], odd[v]), load(scales + v * LANES), totals[v]);
  }
}

void ternaryOneToken(const Call& call, const TernaryFloat& packed, const float* x, float* y) {
  const TernaryFloatLayout& layout = packed.layout;
  const size_t grain = 1 + layout.panels / (4 * threadCount(call));
  parallelRanges(call, layout.panels, grain, [&](size_t from, size_t to) {
    for (size_t p = from; p < to; p++) {
      F totals[PANEL_VECTORS];
      for (size_t v = 0; v < PANEL_VECTORS; v++) totals[v] = broadcast(0);
      for (size_t w = 0; w < layout.channels.W; w++) {
        const FloatSegment& segment = packed.segments[w];
        const auto addSums = segment.steps == 1 ? addTernarySums<2> : addTernarySums<4>;
        addSums(packed.panel(p, w), x + segment.from, static_cast<size_t>(segment.channels), segment.steps,
                packed.scales(w, p * ROWS), totals);
      }
      float sums[ROWS];
      for (size_t v = 0; v < PANEL_VECTORS; v++) store(sums + v * LANES, totals[v]);
      for (size_t o = p * ROWS; o < smallerSize(layout.O, (p + 1) * ROWS); o++) y[o] = sums[o % ROWS] + packed.bias[o];
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

/// The channels [k, end) of all classes of a panel as unpackTernary leaves them; `w` is the class of k, then that of end.
void unpackBlock(const TernaryFloat& packed, size_t first, size_t count, size_t k, size_t end, size_t* w, float* columns,
                 size_t stride) {
  for (size_t at = k; at < end; ) {
    const FloatSegment& segment = packed.segments[*w];
    const auto from = static_cast<size_t>(segment.from);
    const size_t to = smallerSize(end, from + static_cast<size_t>(segment.channels));
    const auto unpack = segment.steps == 1 ? unpackTernary<2> : unpackTernary<4>;
    for (size_t r = 0; r < count; r += ROWS) {
      const uint8_t* panel = packed.panel((first + r) / ROWS, *w) + (at - from) / segment.fields() * ROWS;
      unpack(panel, to - at, segment.steps, packed.scales(*w, first + r), columns + (at - k) * stride + r, stride);
    }
    at = to;
    if (to == from + static_cast<size_t>(segment.channels)) ++*w;
  }
}

void ternaryManyTokens(const Call& call, const TernaryFloat& packed, const float* rows, size_t stride, float* y,
                       size_t N) {
  const size_t O = packed.layout.O;
  constexpr size_t width = TILE_COLUMNS > ROWS ? TILE_COLUMNS : ROWS;
  auto* panels = scratchOf<float>(call, threadCount(call) * K_BLOCK * width);
  parallel(call, divideUp(O, width), [&](size_t group, unsigned thread) {
    float* columns = panels + thread * K_BLOCK * width;
    const size_t first = group * width, count = smallerSize(width, O - first);
    size_t w = 0;
    for (size_t k = 0; k < packed.padded; k += K_BLOCK) {
      const size_t end = smallerSize(packed.padded, k + K_BLOCK);
      unpackBlock(packed, first, count, k, end, &w, columns, width);
      for (size_t r = 0; r < count; r += TILE_COLUMNS) {
        tiles(rows + k, stride, columns + r, width, end - k, y + first + r, O, N, smallerSize(TILE_COLUMNS, count - r),
              k > 0);
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
  const size_t N = size(call, 1 + TernaryChannels::numbers(call.numbers + 1)), stride = spreadStride(packed.padded);
  auto* rows = scratchOf<float>(call, N * stride);
  packed.sort(call, operand<float>(call, 0), N, stride, rows);
  if (N > FEW_ROWS) return ternaryManyTokens(call, packed, rows, stride, y, N);
  for (size_t n = 0; n < N; n++) ternaryOneToken(call, packed, rows + n * stride, y + n * packed.layout.O);
}
