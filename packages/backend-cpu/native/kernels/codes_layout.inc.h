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

/// Code j of a packed row, low bits first.
inline int unpackCode(const uint8_t* row, size_t j, int bits) {
  const size_t bit = j * static_cast<size_t>(bits), byte = bit >> 3;
  const int shift = static_cast<int>(bit & 7);
  const int pair = row[byte] | (shift + bits > 8 ? row[byte + 1] << 8 : 0);
  return (pair >> shift) & ((1 << bits) - 1);
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

/// Packs one row of one segment; returns the sum of its weights less the row's zero point.
int64_t packRow(const uint8_t* row, const CodesLayout& layout, const int32_t* order, const Segment& segment,
                int32_t zero, uint8_t* panel, size_t lane) {
  int64_t sum = 0;
  uint8_t* base = panel + layout.panelBytes(static_cast<size_t>(segment.at));
  for (size_t j = 0; j < static_cast<size_t>(segment.channels); j++) {
    const int code = unpackCode(row, static_cast<size_t>(order[segment.from + j]), layout.bits);
    sum += code - static_cast<int64_t>(zero);
    if (layout.nibbles) {
      base[j / 8 * 64 + lane * 4 + j % 4] |= static_cast<uint8_t>(code << (j % 8 < 4 ? 0 : 4));
    } else {
      base[j / 4 * 64 + lane * 4 + j % 4] = static_cast<uint8_t>(code - layout.shift());
    }
  }
  return sum;
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
  const size_t rowBytes = divideUp(C * static_cast<size_t>(layout.bits), 8);
  parallelRanges(call, layout.panels, 1 + 4096 / (C + 1), [&](size_t firstPanel, size_t endPanel) {
    for (size_t o = firstPanel * ROWS; o < smallerSize(O, endPanel * ROWS); o++) {
      reinterpret_cast<float*>(base + layout.rowScale)[o] = scale[o];
      reinterpret_cast<double*>(base + layout.rowZero)[o] = static_cast<double>(zero[o]) - layout.shift();
      if (bias != nullptr) reinterpret_cast<float*>(base + layout.bias)[o] = bias[o];
      uint8_t* panel = base + layout.weights + o / ROWS * layout.panelBytes(padded);
      for (size_t g = 0; g < count; g++) {
        sums[g * rows + o] = static_cast<double>(
            packRow(weight + o * rowBytes, layout, order, segments[g], zero[o], panel, o % ROWS));
      }
    }
  });
}
