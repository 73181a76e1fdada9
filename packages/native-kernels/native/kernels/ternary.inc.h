// Linear layers of ternary spiking weights. A channel with T steps has weights k of -T..T, each the sum of T trits that
// come in planes of two bits. They are stored as k + T, in two bits for T = 1 and in four for more, so that T is the zero
// point of every row, and run as other packed weights do: k + T <= 14 and a code has at most 255 in a plane, so that the
// PIECE products of a segment sum to at most 4096 * 255 * 14 < 2^24 in an int32 lane.

/// The weights of a row. Where a weight has P parts, the channels of all parts count one after the other: P C of them.
struct TernaryChannels {
  size_t P, columns, W;  // parts; columns of a group; classes, pairs of steps and a group that occur
  int longest;           // steps
  size_t channels, C, E;  // of all parts; of one; trits of a row
  const double* counts;  // channels with 1, 2, ... steps

  /// Numbers P, columns of a group, W, the most steps, then how many channels of all parts have 1, 2, ... steps.
  explicit TernaryChannels(const double* numbers)
      : P(static_cast<size_t>(numbers[0])),
        columns(static_cast<size_t>(numbers[1])),
        W(static_cast<size_t>(numbers[2])),
        longest(static_cast<int>(numbers[3])),
        channels(0),
        E(0),
        counts(numbers + 4) {
    for (int T = 1; T <= longest; T++) {
      channels += count(T);
      E += count(T) * static_cast<size_t>(T);
    }
    C = channels / P;
  }
  /// How many of them there are.
  static int numbers(const double* numbers) { return 4 + static_cast<int>(numbers[3]); }
  size_t count(int T) const { return static_cast<size_t>(counts[T - 1]); }
  size_t rowBytes() const { return divideUp(2 * E, 8); }
  size_t groups() const { return divideUp(C, columns); }
};
/// Bits of a stored weight.
inline int tritSumBits(int T) { return T == 1 ? 2 : 4; }

/// Steps and group of columns that share a scale of each row.
struct TernaryClass {
  int32_t steps, channels;
};

/// The places of channels when they are sorted by steps, and their classes; -1 where the steps of a device tensor are not
/// as the attributes say.
struct TernaryOrder {
  int32_t *places, *classOf;  // [P C]
  TernaryClass* classes;      // [W]

  TernaryOrder(const Call& call, const TernaryChannels& channels, const uint8_t* weightSteps)
      : places(scratchOf<int32_t>(call, channels.channels)),
        classOf(scratchOf<int32_t>(call, channels.channels)),
        classes(scratchOf<TernaryClass>(call, channels.W)) {
    const size_t groups = channels.groups();
    const auto most = static_cast<size_t>(channels.longest);
    size_t next[8] = {}, end[8] = {};
    for (int T = 1; T <= channels.longest; T++) {
      next[T] = end[T - 1];
      end[T] = next[T] + channels.count(T);
    }
    auto* pairs = scratchOf<int32_t>(call, most * groups);
    for (size_t i = 0; i < most * groups; i++) pairs[i] = 0;
    const auto pairOf = [&](size_t v) {
      return static_cast<size_t>(weightSteps[v] - 1) * groups + v % channels.C / channels.columns;
    };
    for (size_t v = 0; v < channels.channels; v++) {
      const size_t T = weightSteps[v] >= 1 && weightSteps[v] <= most ? weightSteps[v] : 0;
      places[v] = next[T] < end[T] ? static_cast<int32_t>(next[T]++) : -1;
      if (places[v] >= 0) pairs[pairOf(v)]++;
    }
    size_t found = 0;
    for (size_t i = 0; i < most * groups; i++) {
      if (pairs[i] == 0) continue;
      if (found < channels.W) classes[found] = {static_cast<int32_t>(1 + i / groups), pairs[i]};
      pairs[i] = found < channels.W ? static_cast<int32_t>(found) : -1;
      found++;
    }
    for (; found < channels.W; found++) classes[found] = {1, 0};
    for (size_t v = 0; v < channels.channels; v++) classOf[v] = places[v] < 0 ? -1 : pairs[pairOf(v)];
  }
};

/// k + T of each channel, sorted by steps, from a row of packed trits. `trits` is scratch of E bytes.
void sumTrits(const TernaryChannels& channels, const uint8_t* row, uint8_t* trits, uint8_t* __restrict sums) {
  unpackRow(row, channels.E, 2, trits);
  for (int T = 1; T <= channels.longest; T++) {
    const size_t count = channels.count(T);
    std::memcpy(sums, trits, count);
    trits += count;
    for (int t = 1; t < T; t++, trits += count) {
      for (size_t j = 0; j < count; j++) sums[j] = static_cast<uint8_t>(sums[j] + trits[j]);
    }
    sums += count;
  }
}

/// Numbers O, S, then the channels.
CodesLayout ternaryCodesLayout(const double* numbers) {
  const TernaryChannels channels(numbers + 2);
  const auto S = static_cast<size_t>(numbers[1]);
  // Padding of a segment is at most 16 channels of 2 bits, or 8 of 4.
  size_t largest = S * channels.W * panelBytes(16, 2);
  for (int T = 1; T <= channels.longest; T++) largest += panelBytes(channels.count(T), tritSumBits(T));
  return CodesLayout(static_cast<size_t>(numbers[0]), channels.C, S, channels.W, static_cast<size_t>(channels.longest),
                     channels.channels, largest);
}

/// pack_linear_ternary_codes. Operands steps, weightSteps, weight, weightScale, bias, packed (zeros before);
/// numbers O, S, the channels, then the GIF format.
size_t ternaryCodesBytes(const double* numbers) { return ternaryCodesLayout(numbers).bytes; }
void packTernaryCodes(const Call& call) {
  const CodesLayout layout = ternaryCodesLayout(call.numbers);
  const TernaryChannels channels(call.numbers + 2);
  const Gif gif = readGif(call.numbers + 2 + TernaryChannels::numbers(call.numbers + 2));
  const auto* steps = operand<uint8_t>(call, 0);
  const auto* weight = operand<uint8_t>(call, 2);
  const auto* scale = operand<float>(call, 3);
  const auto* bias = operand<float>(call, 4);
  auto* base = operand<uint8_t>(call, 5);
  const size_t O = layout.O, C = layout.C, S = layout.S, W = layout.W, rows = layout.panels * ROWS;

  // The places of channels among the codes, which are sorted by class of steps.
  auto* codes = scratchOf<int32_t>(call, C);
  int32_t code = 0;
  for (size_t s = 0; s < S; s++) {
    for (size_t c = 0; c < C; c++) {
      if (gif.classOf(steps[c]) == s) codes[c] = code++;
    }
  }
  // Channels by class of steps, then of weights: their places in a row of weights and among the codes.
  const TernaryOrder sorted(call, channels, operand<uint8_t>(call, 1));
  auto* counts = scratchOf<int32_t>(call, S * W);
  auto* next = scratchOf<int32_t>(call, S * W);
  const auto segmentOf = [&](size_t v) {
    return gif.classOf(steps[v % C]) * W + static_cast<size_t>(sorted.classOf[v]);
  };
  for (size_t i = 0; i < S * W; i++) counts[i] = 0;
  for (size_t v = 0; v < channels.channels; v++) {
    if (sorted.classOf[v] >= 0) counts[segmentOf(v)]++;
  }
  for (size_t i = 0, at = 0; i < S * W; at += static_cast<size_t>(counts[i++])) next[i] = static_cast<int32_t>(at);
  auto* order = scratchOf<int32_t>(call, channels.channels);
  auto* positions = layout.gathered ? reinterpret_cast<int32_t*>(base + layout.positions) : scratchOf<int32_t>(call, C);
  for (size_t v = 0; v < channels.channels; v++) {
    if (sorted.classOf[v] < 0) continue;
    const int32_t at = next[segmentOf(v)]++;
    order[at] = sorted.places[v];
    positions[at] = codes[v % C];
  }

  auto* classes = scratchOf<WeightClass>(call, W);
  for (size_t w = 0; w < W; w++) {
    const int T = sorted.classes[w].steps;
    classes[w] = {tritSumBits(T), T - 1};
  }
  auto* segments = reinterpret_cast<Segment*>(base + layout.segments);
  const CodesHeader header = cutSegments(counts, S, W, classes, segments);
  *reinterpret_cast<CodesHeader*>(base) = header;
  auto* rowScale = reinterpret_cast<float*>(base + layout.rowScale);
  auto* rowZero = reinterpret_cast<double*>(base + layout.rowZero);
  auto* sums = reinterpret_cast<double*>(base + layout.weightSums);
  const size_t room = channels.E + channels.channels + PIECE;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t* trits = rowsOfThreads + thread * room;
    uint8_t *weights = trits + channels.E, *gathered = weights + channels.channels;
    uint8_t* panel = base + layout.weights + p * header.panelBytes;
    for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
      if (bias != nullptr) reinterpret_cast<float*>(base + layout.bias)[o] = bias[o];
      for (int T = 1; T <= channels.longest; T++) rowZero[static_cast<size_t>(T - 1) * rows + o] = T;
      for (size_t w = 0; w < W; w++) rowScale[w * rows + o] = scale[o * W + w];
      sumTrits(channels, weight + o * channels.rowBytes(), trits, weights);
      for (size_t g = 0; g < header.count; g++) {
        const Segment& segment = segments[g];
        const double sum = packSegment(segment, weights, order, 0, panel, o % ROWS, gathered);
        sums[g * rows + o] = sum - static_cast<double>(segment.zero + 1) * segment.channels;
      }
    }
  });
}

/// linear_ternary_codes_f32. Operands codes, scale, zero, packed, y; numbers O, S, the channels, the GIF format, then N.
void linearTernaryCodes(const Call& call) {
  const int at = 2 + TernaryChannels::numbers(call.numbers + 2);
  const Gif gif = readGif(call.numbers + at);
  linearOnCodes<true>(call, ternaryCodesLayout(call.numbers), gif, size(call, at + 3 + static_cast<int>(gif.S)));
}
