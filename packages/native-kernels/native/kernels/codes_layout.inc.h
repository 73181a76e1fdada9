// Packed weights of linear layers on codes.
//
// Channels are sorted by class of steps, then by class of weights, and cut into segments: one class of each, PIECE
// channels at most, padded to 8, or to 16 where weights have 2 bits. 16 rows make a panel: for four channels at a time
// 64 bytes, four of each row, so that one 32-bit lane is one row. Weights of up to 4 bits share a byte: with F = 2 or 4
// weights to a byte, field f of the byte at i of a block of 64 holds channel 4 f + i % 4 of the block's 4 F. Where
// `dot` takes signed weights, a weight is stored less `shift`, so that it fits a signed byte, and small enough for AVX2's
// maddubs where that is possible; the row's zero point is stored less `shift` too.

constexpr size_t ROWS = 16;
constexpr size_t PIECE = 4096;

/// Weights that share a scale of each row.
struct WeightClass {
  int32_t bits;  // of a stored weight: 2, 4 or 8
  int32_t zero;  // which of a row's zero points is theirs
};

struct Segment {
  int32_t codeClass, weightClass;
  int32_t bits, zero;  // of its weight class
  int32_t channels;  // without padding
  int32_t from;      // first channel, in sorted order
  int32_t at;        // first channel, padded
  int32_t padded;
  int32_t offset;  // first byte in a panel
};

/// Bytes of `channels` padded channels of a panel.
inline size_t panelBytes(size_t channels, int bits) { return channels * ROWS * static_cast<size_t>(bits) / 8; }
/// Bits in which weights of 1 to 8 bits are stored.
inline int storedBits(int bits) { return bits <= 2 ? 2 : bits <= 4 ? 4 : 8; }
inline int shiftOf(int bits) { return UNSIGNED_WEIGHTS ? 0 : bits == 7 ? 64 : bits == 8 ? 128 : 0; }

struct CodesLayout {
  size_t O, C, S, W, panels, maxSegments;
  bool gathered;  // whether sorted channels are elsewhere among the codes
  size_t segments, positions, rowScale, rowZero, bias, weightSums, weights, bytes;  // offsets; `bytes` is the end

  /// Rows of C weights in one class with one zero point. `largestPanel`: bytes that no panel exceeds.
  CodesLayout(size_t O_, size_t C_, size_t S_, size_t largestPanel) : CodesLayout(O_, C_, S_, 1, 1, C_, largestPanel) {}
  /// W classes of weights with Z zero points, `channels` weights a row.
  CodesLayout(size_t O_, size_t C_, size_t S_, size_t W_, size_t Z, size_t channels, size_t largestPanel)
      : O(O_),
        C(C_),
        S(S_),
        W(W_),
        panels(divideUp(O, ROWS)),
        maxSegments(S * W + channels / PIECE),
        gathered(W > 1 || channels > C) {
    const size_t rows = panels * ROWS;
    segments = 64;  // after the header
    positions = roundUp(segments + maxSegments * sizeof(Segment), 64);
    rowScale = roundUp(positions + (gathered ? channels * sizeof(int32_t) : 0), 64);
    rowZero = rowScale + W * rows * sizeof(float);
    bias = rowZero + Z * rows * sizeof(double);
    weightSums = bias + rows * sizeof(float);
    weights = weightSums + maxSegments * rows * sizeof(double);
    bytes = weights + panels * largestPanel;
  }
};

/// Numbers O, C, weightBits, S.
CodesLayout linearCodesLayout(const double* numbers) {
  const auto O = static_cast<size_t>(numbers[0]), C = static_cast<size_t>(numbers[1]);
  const auto S = static_cast<size_t>(numbers[3]);
  return CodesLayout(O, C, S, panelBytes(C + 16 * S, storedBits(static_cast<int>(numbers[2]))));
}

struct CodesHeader {
  uint64_t count;       // of segments
  uint64_t padded;      // channels
  uint64_t panelBytes;  // from panel to panel
};

struct PackedCodes {
  CodesLayout layout;
  size_t count, padded, stride;
  const Segment* segments;
  const int32_t* positions;  // of the sorted channels among the codes; null where they are the same
  const float* rowScale;     // [W, rows]
  const double* rowZero;     // [Z, rows]
  const float* bias;         // zeros where there is none
  const double* weightSums;  // sum of (w - zero) over a segment, [segment][row]
  const uint8_t* weights;

  PackedCodes(const CodesLayout& l, const uint8_t* base)
      : layout(l),
        segments(reinterpret_cast<const Segment*>(base + l.segments)),
        positions(l.gathered ? reinterpret_cast<const int32_t*>(base + l.positions) : nullptr),
        rowScale(reinterpret_cast<const float*>(base + l.rowScale)),
        rowZero(reinterpret_cast<const double*>(base + l.rowZero)),
        bias(reinterpret_cast<const float*>(base + l.bias)),
        weightSums(reinterpret_cast<const double*>(base + l.weightSums)),
        weights(base + l.weights) {
    const auto& header = *reinterpret_cast<const CodesHeader*>(base);
    count = header.count;
    padded = header.padded;
    stride = header.panelBytes;
  }
  const uint8_t* panel(size_t p) const { return weights + p * stride; }
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

/// Cuts channels into segments: `counts` [S, W] of them in each pair of classes.
CodesHeader cutSegments(const int32_t* counts, size_t S, size_t W, const WeightClass* classes, Segment* segments) {
  CodesHeader header{0, 0, 0};
  size_t from = 0;
  for (size_t i = 0; i < S * W; i++) {
    const auto [width, zero] = classes[i % W];
    for (size_t left = static_cast<size_t>(counts[i]); left > 0;) {
      const size_t channels = smallerSize(left, PIECE), padded = roundUp(channels, width == 2 ? 16 : 8);
      segments[header.count++] = {static_cast<int32_t>(i / W),
                                  static_cast<int32_t>(i % W),
                                  width,
                                  zero,
                                  static_cast<int32_t>(channels),
                                  static_cast<int32_t>(from),
                                  static_cast<int32_t>(header.padded),
                                  static_cast<int32_t>(padded),
                                  static_cast<int32_t>(header.panelBytes)};
      from += channels;
      header.padded += padded;
      header.panelBytes += panelBytes(padded, width);
      left -= channels;
    }
  }
  return header;
}

/// Stores a segment of a row in its lane of a panel.
template <int BITS>
void packFields(const uint8_t* stored, size_t padded, uint8_t* lane) {
  constexpr size_t FIELDS = 8 / BITS;
  for (size_t c = 0; c < padded; c += 4 * FIELDS, lane += 64) {
    uint32_t fields = 0;
    for (size_t f = 0; f < FIELDS; f++) {
      uint32_t four;
      std::memcpy(&four, stored + c + 4 * f, 4);
      fields |= four << (f * BITS);
    }
    std::memcpy(lane, &fields, 4);
  }
}
/// Packs the weights `codes[order[..]]` of a segment, less `shift`, in a row of a panel; returns the sum of the codes.
/// `gathered` is scratch of PIECE bytes.
uint32_t packSegment(const Segment& segment, const uint8_t* codes, const int32_t* order, int shift, uint8_t* panel,
                     size_t row, uint8_t* __restrict gathered) {
  const auto channels = static_cast<size_t>(segment.channels), padded = static_cast<size_t>(segment.padded);
  for (size_t j = 0; j < channels; j++) gathered[j] = codes[order[segment.from + j]];
  for (size_t j = channels; j < padded; j++) gathered[j] = 0;
  uint32_t sum = 0;
  for (size_t j = 0; j < channels; j++) sum += gathered[j];
  for (size_t j = 0; j < channels; j++) gathered[j] = static_cast<uint8_t>(gathered[j] - shift);
  uint8_t* lane = panel + segment.offset + 4 * row;
  if (segment.bits == 2) packFields<2>(gathered, padded, lane);
  else if (segment.bits == 4) packFields<4>(gathered, padded, lane);
  else packFields<8>(gathered, padded, lane);
  return sum;
}

/// pack_linear_codes. Operands steps, weight, weightScale, weightZero, bias, packed (zeros before);
/// numbers O, C, weightBits, S, then the GIF format.
size_t linearCodesBytes(const double* numbers) { return linearCodesLayout(numbers).bytes; }
void packLinearCodes(const Call& call) {
  const CodesLayout layout = linearCodesLayout(call.numbers);
  const int bits = static_cast<int>(call.numbers[2]), shift = shiftOf(bits);
  const WeightClass only{storedBits(bits), 0};
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
  const CodesHeader header = cutSegments(order + C, layout.S, 1, &only, segments);
  *reinterpret_cast<CodesHeader*>(base) = header;
  auto* sums = reinterpret_cast<double*>(base + layout.weightSums);
  const size_t rowBytes = divideUp(C * static_cast<size_t>(bits), 8), room = roundUp(C, 64) + PIECE;
  auto* rowsOfThreads = scratchOf<uint8_t>(call, threadCount(call) * room);
  parallel(call, layout.panels, [&](size_t p, unsigned thread) {
    uint8_t* codes = rowsOfThreads + thread * room;
    uint8_t* gathered = codes + room - PIECE;
    for (size_t o = p * ROWS; o < smallerSize(O, (p + 1) * ROWS); o++) {
      reinterpret_cast<float*>(base + layout.rowScale)[o] = scale[o];
      reinterpret_cast<double*>(base + layout.rowZero)[o] = static_cast<double>(zero[o]) - shift;
      if (bias != nullptr) reinterpret_cast<float*>(base + layout.bias)[o] = bias[o];
      unpackRow(weight + o * rowBytes, C, bits, codes);
      for (size_t g = 0; g < header.count; g++) {
        uint8_t* panel = base + layout.weights + p * header.panelBytes;
        const double sum = packSegment(segments[g], codes, order, shift, panel, o % ROWS, gathered);
        sums[g * rows + o] = sum - static_cast<double>(zero[o]) * segments[g].channels;
      }
    }
  });
}
