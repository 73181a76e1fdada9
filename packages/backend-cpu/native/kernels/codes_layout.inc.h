// Packed weights of linear_codes_f32.
//
// Channels come in gathered order and are cut into segments: one class of steps, PIECE channels at most, padded to 8. 16
// rows make a panel: for four channels at a time 64 bytes, four of each row, so that one 32-bit lane is one row. Weights
// of up to 4 bits are stored in halves: the byte at i holds channels 8j + i % 4 in its low half and 8j + 4 + i % 4 in
// its high half. Where `dot` takes signed weights, a weight is stored less `shift`, so that it fits a signed byte,
// and small enough for AVX2's maddubs where that is possible; the row's zero point is stored less `shift` too.

constexpr size_t ROWS = 16;
constexpr size_t PIECE = 4096;

struct Segment {
  int32_t classIndex;
  int32_t channels;  // without padding
  int32_t from;      // first channel, in gathered order
  int32_t at;        // first channel, padded
  int32_t padded;
};

struct CodesLayout {
  size_t O, C, S, panels, maxSegments;
  int bits;
  bool nibbles;
  size_t segments, rowScale, rowZero, bias, weightSums, weights, bytes;  // offsets; `bytes` is the end

  /// Numbers O, C, weightBits, S.
  explicit CodesLayout(const double* numbers)
      : O(static_cast<size_t>(numbers[0])),
        C(static_cast<size_t>(numbers[1])),
        S(static_cast<size_t>(numbers[3])),
        panels(divideUp(O, ROWS)),
        maxSegments(S + C / PIECE),
        bits(static_cast<int>(numbers[2])),
        nibbles(bits <= 4) {
    const size_t rows = panels * ROWS;
    segments = 64;  // after the header: number of segments, padded channels
    rowScale = roundUp(segments + maxSegments * sizeof(Segment), 64);
    rowZero = rowScale + rows * sizeof(float);
    bias = rowZero + rows * sizeof(double);
    weightSums = bias + rows * sizeof(float);
    weights = weightSums + maxSegments * rows * sizeof(double);
    bytes = weights + panels * panelBytes(C + 8 * maxSegments);
  }
  int shift() const { return UNSIGNED_WEIGHTS ? 0 : bits == 7 ? 64 : bits == 8 ? 128 : 0; }
  size_t panelBytes(size_t channels) const { return channels * ROWS / (nibbles ? 2 : 1); }
};

struct PackedCodes {
  CodesLayout layout;
  size_t count;   // of segments
  size_t padded;  // channels
  const Segment* segments;
  const float* rowScale;
  const double* rowZero;
  const float* bias;         // zeros where there is none
  const double* weightSums;  // sum of (w - zero) over a segment, [segment][row]
  const uint8_t* weights;

  PackedCodes(const CodesLayout& l, const uint8_t* base)
      : layout(l),
        count(reinterpret_cast<const uint64_t*>(base)[0]),
        padded(reinterpret_cast<const uint64_t*>(base)[1]),
        segments(reinterpret_cast<const Segment*>(base + l.segments)),
        rowScale(reinterpret_cast<const float*>(base + l.rowScale)),
        rowZero(reinterpret_cast<const double*>(base + l.rowZero)),
        bias(reinterpret_cast<const float*>(base + l.bias)),
        weightSums(reinterpret_cast<const double*>(base + l.weightSums)),
        weights(base + l.weights) {}
  const uint8_t* panel(size_t p) const { return weights + p * layout.panelBytes(padded); }
};

/// The codes of a packed row, low bits first, a byte each.
template <int BITS>
void unpackWhole(const uint8_t* row, size_t count, uint8_t* codes) {
  constexpr size_t each = 8 / BITS;  // codes that share a byte
  for (size_t i = 0; i < count / each; i++) {
    for (size_t j = 0; j < each; j++) codes[i * each + j] = row[i] >> (j * BITS) & ((1 << BITS) - 1);
  }
  for (size_t j = count / each * each; j < count; j++) {
    codes[j] = row[j / each] >> (j % each * BITS) & ((1 << BITS) - 1);
  }
}
void unpackRow(const uint8_t* row, size_t count, int bits, uint8_t* codes) {
  if (bits == 1) return unpackWhole<1>(row, count, codes);
  if (bits == 2) return unpackWhole<2>(row, count, codes);
  if (bits == 4) return unpackWhole<4>(row, count, codes);
  if (bits == 8) return unpackWhole<8>(row, count, codes);
  uint32_t waiting = 0;
  int held = 0;
  for (size_t j = 0; j < count; j++, held -= bits, waiting >>= bits) {
    if (held < bits) {
      waiting |= static_cast<uint32_t>(*row++) << held;
      held += 8;
    }
    codes[j] = static_cast<uint8_t>(waiting & ((1u << bits) - 1));
  }
}

/// The segments of a layer; returns their number.
size_t cutSegments(const int32_t* counts, size_t S, Segment* segments, size_t* padded) {
  size_t number = 0, from = 0, at = 0;
  for (size_t s = 0; s < S; s++) {
    for (size_t left = static_cast<size_t>(counts[s]); left > 0;) {
      const size_t channels = smallerSize(left, PIECE), wide = roundUp(channels, 8);
      segments[number++] = {static_cast<int32_t>(s), static_cast<int32_t>(channels), static_cast<int32_t>(from),
                            static_cast<int32_t>(at), static_cast<int32_t>(wide)};
      from += channels;
      at += wide;
      left -= channels;
    }
  }
  *padded = at;
  return number;
}

/// weights[j] = codes[order[j]] - shift for `channels` channels, zeros up to `padded`; returns their sum.
int32_t gatherRow(const uint8_t* codes, const int32_t* order, size_t channels, size_t padded, int shift,
                  int8_t* __restrict weights) {
  for (size_t j = 0; j < channels; j++) weights[j] = static_cast<int8_t>(codes[order[j]] - shift);
  for (size_t j = channels; j < padded; j++) weights[j] = 0;
  int32_t sum = 0;
  for (size_t j = 0; j < padded; j++) sum += weights[j];
  return sum;
}

/// Stores a segment of a row, padded with zeros, in its lane of a panel.
void packRow(const int8_t* weights, size_t padded, bool nibbles, uint8_t* lane) {
  for (size_t j = 0; j < padded; j += 8, weights += 8) {
    uint32_t first, second;
    std::memcpy(&first, weights, 4);
    std::memcpy(&second, weights + 4, 4);
    if (nibbles) {
      first |= second << 4;
      std::memcpy(lane + j * 8, &first, 4);
    } else {
      std::memcpy(lane + j * 16, &first, 4);
      std::memcpy(lane + j * 16 + 64, &second, 4);
    }
  }
}

/// pack_linear_codes. Operands steps, weight, weightScale, weightZero, bias, packed (zeros before);
/// numbers O, C, weightBits, S, then the GIF format.
size_t linearCodesBytes(const double* numbers) { return CodesLayout(numbers).bytes; }
void packLinearCodes(const Call& call) {
  const CodesLayout layout(call.numbers);
  const auto* weight = operand<uint8_t>(call, 1);
  const auto* scale = operand<float>(call, 2);
  const auto* zero = operand<int32_t>(call, 3);
  const auto* bias = operand<float>(call, 4);
  auto* base = operand<uint8_t>(call, 5);
  const size_t O = layout.O, C = layout.C, rows = layout.panels * ROWS;

  auto* order = scratchOf<int32_t>(call, C + layout.S);
  void* orderOperands[] = {call.operands[0], order};
  double orderNumbers[9] = {static_cast<double>(C)};
  for (size_t i = 0; i < 3 + layout.S; i++) orderNumbers[1 + i] = call.numbers[4 + i];
  packOrder(Call{orderOperands, orderNumbers, call.device, call.kernel});

  auto* segments = reinterpret_cast<Segment*>(base + layout.segments);
  size_t padded;
  const size_t count = cutSegments(order + C, layout.S, segments, &padded);
  reinterpret_cast<uint64_t*>(base)[0] = count;
  reinterpret_cast<uint64_t*>(base)[1] = padded;
  auto* sums = reinterpret_cast<double*>(base + layout.weightSums);
  const size_t rowBytes = divideUp(C * static_cast<size_t>(layout.bits), 8), room = roundUp(C, 64) + PIECE;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t* codes = rowsOfThreads + thread * room;
    auto* gathered = reinterpret_cast<int8_t*>(codes + room - PIECE);
    for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
      const double rowZero = static_cast<double>(zero[o]) - layout.shift();
      reinterpret_cast<float*>(base + layout.rowScale)[o] = scale[o];
      reinterpret_cast<double*>(base + layout.rowZero)[o] = rowZero;
      if (bias != nullptr) reinterpret_cast<float*>(base + layout.bias)[o] = bias[o];
      unpackRow(weight + o * rowBytes, C, layout.bits, codes);
      uint8_t* panel = base + layout.weights + p * layout.panelBytes(padded);
      for (size_t g = 0; g < count; g++) {
        const Segment& segment = segments[g];
        const auto channels = static_cast<size_t>(segment.channels), end = static_cast<size_t>(segment.padded);
        const int32_t sum = gatherRow(codes, order + segment.from, channels, end, layout.shift(), gathered);
        sums[g * rows + o] = sum - rowZero * segment.channels;
        packRow(gathered, end, layout.nibbles, panel + layout.panelBytes(static_cast<size_t>(segment.at)) + o % ROWS * 4);
      }
    }
  });
}
