// Codes of tokens as linears on codes read them: a byte a channel, in the segments' padding.

/// Where `dot` takes signed codes, a byte is stored less this; so are the zero points and sums that go with it.
constexpr int CODE_OFFSET = SIGNED_CODES ? 128 : 0;

/// Codes with the segments' padding, as bytes; wide codes in two planes.
struct CodePlanes {
  uint8_t* low;
  uint8_t* high;  // null where codes are bytes
  double* sums;   // [N, segments]
};

/// A plane of a segment, zeros where it is padded: the bits of code(c) from SHIFT on; returns the sum of the codes.
template <int SHIFT, class Code>
uint32_t splitPlane(const Segment& segment, const Code& code, uint8_t* plane) {
  const auto channels = static_cast<size_t>(segment.channels), padded = static_cast<size_t>(segment.padded);
  uint32_t sum = 0;
  for (size_t c = 0; c < channels; c++) {
    const uint32_t value = code(c);
    plane[segment.at + c] = static_cast<uint8_t>((value >> SHIFT) - CODE_OFFSET);
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

CodePlanes newPlanes(const Call& call, size_t N, const PackedCodes& packed, bool wide) {
  return {scratchOf<uint8_t>(call, N * packed.padded), wide ? scratchOf<uint8_t>(call, N * packed.padded) : nullptr,
          scratchOf<double>(call, N * packed.count)};
}
/// Token n of the planes from its codes [C].
template <class Code>
void splitRow(const Code* row, size_t n, const PackedCodes& packed, const CodePlanes& planes) {
  uint8_t* low = planes.low + n * packed.padded;
  uint8_t* high = planes.high == nullptr ? nullptr : planes.high + n * packed.padded;
  for (size_t g = 0; g < packed.count; g++) {
    const Segment& segment = packed.segments[g];
    double& sum = planes.sums[n * packed.count + g];
    if (packed.positions == nullptr) {
      sum = splitSegment(segment, [code = row + segment.from](size_t c) { return code[c]; }, low, high);
    } else {
      const auto anywhere = [row, at = packed.positions + segment.from](size_t c) { return row[at[c]]; };
      sum = splitSegment(segment, anywhere, low, high);
    }
  }
}
template <class Code>
CodePlanes splitCodes(const Call& call, const Code* codes, size_t N, const PackedCodes& packed) {
  const CodePlanes planes = newPlanes(call, N, packed, sizeof(Code) > 1);
  parallelRanges(call, N, rowGrain(packed.layout.C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) splitRow(codes + n * packed.layout.C, n, packed, planes);
  });
  return planes;
}
