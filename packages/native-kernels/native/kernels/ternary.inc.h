// Linear layers of ternary spiking weights. A channel with T steps has weights k of -T..T, each the sum of T trits that
// come in planes of two bits. They are stored as k + T, in two bits for T = 1 and in four for more, so that T is the zero
// point of every row, and run as other packed weights do: k + T <= 14 and a code has at most 255 in a plane, so that the
// PIECE products of a segment sum to at most 4096 * 255 * 14 < 2^24 in an int32 lane.

/// How many channels have weights of 1, 2, ... steps.
struct TernaryChannels {
  int longest;     // steps
  size_t W, C, E;         // classes that occur, channels, trits of a row
  size_t counts[7];       // channels of each class
  int steps[7], bits[7];  // T of each class, bits of a stored weight

  /// Numbers: the length of the list, then the list.
  explicit TernaryChannels(const double* numbers) : longest(static_cast<int>(numbers[0])), W(0), C(0), E(0) {
    for (int T = 1; T <= longest; T++) {
      const auto count = static_cast<size_t>(numbers[T]);
      if (count == 0) continue;
      counts[W] = count;
      steps[W] = T;
      bits[W] = T == 1 ? 2 : 4;
      W++;
      C += count;
      E += count * static_cast<size_t>(T);
    }
  }
  size_t rowBytes() const { return divideUp(2 * E, 8); }
};

/// The place of each channel when they are sorted by class of weights, -1 where the steps of a device tensor are not as
/// the attributes say.
void placeChannels(const TernaryChannels& channels, const uint8_t* weightSteps, int32_t* places) {
  size_t next[8] = {}, end[8] = {};
  for (size_t w = 0, at = 0; w < channels.W; w++) {
    next[channels.steps[w]] = at;
    end[channels.steps[w]] = at += channels.counts[w];
  }
  for (size_t c = 0; c < channels.C; c++) {
    const int T = weightSteps[c] & 7;
    places[c] = next[T] < end[T] ? static_cast<int32_t>(next[T]++) : -1;
  }
}

/// k + T of each channel, sorted by class, from a row of packed trits. `trits` is scratch of E bytes.
void sumTrits(const TernaryChannels& channels, const uint8_t* row, uint8_t* trits, uint8_t* __restrict sums) {
  unpackRow(row, channels.E, 2, trits);
  for (size_t w = 0; w < channels.W; w++) {
    const size_t count = channels.counts[w];
    std::memcpy(sums, trits, count);
    trits += count;
    for (int t = 1; t < channels.steps[w]; t++, trits += count) {
      for (size_t j = 0; j < count; j++) sums[j] = static_cast<uint8_t>(sums[j] + trits[j]);
    }
    sums += count;
  }
}

/// Numbers O, S, then the channels.
CodesLayout ternaryCodesLayout(const double* numbers) {
  const TernaryChannels channels(numbers + 2);
  const auto S = static_cast<size_t>(numbers[1]);
  size_t largest = 0;
  for (size_t w = 0; w < channels.W; w++) largest += panelBytes(channels.counts[w] + 16 * S, channels.bits[w]);
  return CodesLayout(static_cast<size_t>(numbers[0]), channels.C, S, channels.W, largest);
}

/// pack_linear_ternary_codes. Operands steps, weightSteps, weight, weightScale, bias, packed (zeros before);
/// numbers O, S, the channels, then the GIF format.
size_t ternaryCodesBytes(const double* numbers) { return ternaryCodesLayout(numbers).bytes; }
void packTernaryCodes(const Call& call) {
  const CodesLayout layout = ternaryCodesLayout(call.numbers);
  const TernaryChannels channels(call.numbers + 2);
  const Gif gif = readGif(call.numbers + 3 + channels.longest);
  const auto* steps = operand<uint8_t>(call, 0);
  const auto* weight = operand<uint8_t>(call, 2);
  const auto* scale = operand<float>(call, 3);
  const auto* bias = operand<float>(call, 4);
  auto* base = operand<uint8_t>(call, 5);
  const size_t O = layout.O, C = layout.C, S = layout.S, W = layout.W, rows = layout.panels * ROWS;

  auto* places = scratchOf<int32_t>(call, C);
  placeChannels(channels, operand<uint8_t>(call, 1), places);
  // Channels by class of steps, then of weights: their places in a row of weights and among the codes.
  auto* order = scratchOf<int32_t>(call, C);
  auto* positions = W > 1 ? reinterpret_cast<int32_t*>(base + layout.positions) : scratchOf<int32_t>(call, C);
  auto* counts = scratchOf<int32_t>(call, S * W);
  size_t at = 0;
  int32_t firstCode = 0;
  for (size_t s = 0; s < S; s++) {
    int32_t code = firstCode, first = 0;
    for (size_t w = 0; w < W; w++) {
      const size_t from = at;
      const auto last = first + static_cast<int32_t>(channels.counts[w]);
      code = firstCode;
      for (size_t c = 0; c < C; c++) {
        if (gif.classOf(steps[c]) != s) continue;
        if (places[c] >= first && places[c] < last) {
          order[at] = places[c];
          positions[at++] = code;
        }
        code++;
      }
      counts[s * W + w] = static_cast<int32_t>(at - from);
      first = last;
    }
    firstCode = code;
  }

  auto* segments = reinterpret_cast<Segment*>(base + layout.segments);
  const CodesHeader header = cutSegments(counts, S, W, channels.bits, segments);
  *reinterpret_cast<CodesHeader*>(base) = header;
  auto* rowScale = reinterpret_cast<float*>(base + layout.rowScale);
  auto* rowZero = reinterpret_cast<double*>(base + layout.rowZero);
  auto* sums = reinterpret_cast<double*>(base + layout.weightSums);
  const size_t room = channels.E + C + PIECE;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t* trits = rowsOfThreads + thread * room;
    uint8_t *codes = trits + channels.E, *gathered = codes + C;
    uint8_t* panel = base + layout.weights + p * header.panelBytes;
    for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
      if (bias != nullptr) reinterpret_cast<float*>(base + layout.bias)[o] = bias[o];
      for (size_t w = 0; w < W; w++) {
        rowScale[w * rows + o] = scale[o * W + w];
        rowZero[w * rows + o] = channels.steps[w];
      }
      sumTrits(channels, weight + o * channels.rowBytes(), trits, codes);
      for (size_t g = 0; g < header.count; g++) {
        const Segment& segment = segments[g];
        const double sum = packSegment(segment, codes, order, 0, panel, o % ROWS, gathered);
        sums[g * rows + o] = sum - static_cast<double>(channels.steps[segment.weightClass]) * segment.channels;
      }
    }
  });
}

/// linear_ternary_codes_f32. Operands codes, scale, zero, packed, y; numbers O, S, the channels, the GIF format, then N.
void linearTernaryCodes(const Call& call) {
  const int at = 3 + static_cast<int>(call.numbers[2]);
  const Gif gif = readGif(call.numbers + at);
  linearOnCodes<true>(call, ternaryCodesLayout(call.numbers), gif, size(call, at + 3 + static_cast<int>(gif.S)));
}
