// GIF encoding: float32 arithmetic throughout, each operation rounded once, so that codes are equal on every backend.

struct Gif {
  int bits;
  bool lossless;
  size_t S;
  int classes[5];

  int maxCode(int steps) const { return lossless ? steps * ((1 << bits) - 1) : (steps << bits) - 1; }
  bool wide() const { return maxCode(classes[S - 1]) > 255; }
  /// The class of a channel. Steps that are no class cannot come from a checked host tensor; they count as class 0.
  size_t classOf(int steps) const {
    for (size_t s = 0; s < S; s++) {
      if (classes[s] == steps) return s;
    }
    return 0;
  }
};

/// Numbers bits, lossless, S, then the classes.
Gif readGif(const double* numbers) {
  Gif gif{static_cast<int>(numbers[0]), numbers[1] != 0, static_cast<size_t>(numbers[2]), {}};
  for (size_t s = 0; s < gif.S; s++) gif.classes[s] = static_cast<int>(numbers[3 + s]);
  return gif;
}

inline float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/// Scale and zero point of a class for a group of values between min and max.
SHARED void gifParameters(const Gif& gif, int steps, float min, float max, float* scale, int32_t* zero) {
  const float spread = max - min;
  if (spread == 0 && gif.lossless) {
    *scale = (max == 0 ? 1.0f : std::fabs(max)) / static_cast<float>(steps);
    *zero = max < 0 ? steps : 0;
    return;
  }
  const float unit = clamp(spread / static_cast<float>(gif.maxCode(gif.lossless ? 1 : steps)), 1e-5f, 1e4f);
  *scale = gif.lossless ? unit / static_cast<float>(steps) : unit;
  const float z = clamp(-min / *scale, -1e4f, 1e4f);
  *zero = z == z ? static_cast<int32_t>(std::nearbyintf(z)) : 0;
}

/// A class ready to encode with: code = clamp(rint(x / scale), -zero, largest - zero) + zero, whole floats all along.
struct Encoder {
  float scale, zero, low, high;
  Encoder(float scale_, int32_t zero_, int largest)
      : scale(scale_),
        zero(static_cast<float>(zero_)),
        low(-zero),
        high(static_cast<float>(largest) - zero) {}
  F encode(F x) const {
    const F rounded = roundEven(div(x, broadcast(scale)));
    return add(smaller(larger(rounded, broadcast(low)), broadcast(high)), broadcast(zero));
  }
  float encode1(float x) const {
    const float rounded = std::nearbyintf(x / scale);
    const float raised = rounded > low ? rounded : low;
    return (raised < high ? raised : high) + zero;
  }
};

/// Smallest and largest of `count` values, those that are no numbers left out.
SHARED void extent(const float* x, size_t count, float* min, float* max) {
  F low = broadcast(INFINITY), high = broadcast(-INFINITY);
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    low = smaller(load(x + i), low);
    high = larger(load(x + i), high);
  }
  *min = smallestOf(low);
  *max = largestOf(high);
  for (; i < count; i++) {
    if (x[i] < *min) *min = x[i];
    if (x[i] > *max) *max = x[i];
  }
}

/// pack_order: channels sorted by class, stable, and the number of each class: int32 [C + S].
/// Operands steps, packed; numbers C, then the GIF format.
size_t orderBytes(const double* numbers) { return (static_cast<size_t>(numbers[0] + numbers[3])) * sizeof(int32_t); }
void packOrder(const Call& call) {
  const auto* steps = operand<uint8_t>(call, 0);
  auto* order = operand<int32_t>(call, 1);
  const size_t C = size(call, 0);
  const Gif gif = readGif(call.numbers + 1);
  size_t at = 0;
  for (size_t s = 0; s < gif.S; s++) {
    const size_t from = at;
    for (size_t c = 0; c < C; c++) {
      if (gif.classOf(steps[c]) == s) order[at++] = static_cast<int32_t>(c);
    }
    order[C + s] = static_cast<int32_t>(at - from);
  }
}

/// Codes of `count` gathered channels.
template <class Code>
void encodeClass(const float* x, const int32_t* order, size_t count, const Encoder& encoder, Code* codes) {
  size_t c = 0;
  for (; c + LANES <= count; c += LANES) storeWhole(codes + c, encoder.encode(gather(x, order + c)));
  for (; c < count; c++) codes[c] = static_cast<Code>(encoder.encode1(x[order[c]]));
}

/// One token: codes [C], scale and zero [S]. `order` is what pack_order wrote.
template <class Code>
void encodeRow(const float* x, const int32_t* order, size_t C, const Gif& gif, Code* codes, float* scale,
               int32_t* zero) {
  float min, max;
  extent(x, C, &min, &max);
  const int32_t* counts = order + C;
  for (size_t s = 0; s < gif.S; s++) {
    const auto count = static_cast<size_t>(counts[s]);
    gifParameters(gif, gif.classes[s], min, max, scale + s, zero + s);
    encodeClass(x, order, count, Encoder(scale[s], zero[s], gif.maxCode(gif.classes[s])), codes);
    order += count;
    codes += count;
  }
}

/// gif_encode_f32. Operands x, packed, codes, scale, zero; numbers N, C, then the GIF format.
template <class Code>
void encodeRows(const Call& call, const Gif& gif) {
  const auto* x = operand<float>(call, 0);
  const auto* order = operand<int32_t>(call, 1);
  auto* codes = operand<Code>(call, 2);
  auto* scale = operand<float>(call, 3);
  auto* zero = operand<int32_t>(call, 4);
  const size_t N = size(call, 0), C = size(call, 1), S = gif.S;
  parallelRanges(call, N, rowGrain(2 * C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      encodeRow(x + n * C, order, C, gif, codes + n * C, scale + n * S, zero + n * S);
    }
  });
}
void gifEncode(const Call& call) {
  const Gif gif = readGif(call.numbers + 2);
  if (gif.wide()) encodeRows<uint16_t>(call, gif);
  else encodeRows<uint8_t>(call, gif);
}

/// gif_decode_f32: y = (code - zero) scale, back in channel order.
/// Operands codes, scale, zero, packed, y; numbers N, C, then the GIF format.
template <class Code>
void decodeRows(const Call& call, const Gif& gif) {
  const auto* codes = operand<Code>(call, 0);
  const auto* scale = operand<float>(call, 1);
  const auto* zero = operand<int32_t>(call, 2);
  const auto* order = operand<int32_t>(call, 3);
  auto* y = operand<float>(call, 4);
  const size_t N = size(call, 0), C = size(call, 1), S = gif.S;
  parallelRanges(call, N, rowGrain(2 * C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      size_t c = 0;
      for (size_t s = 0; s < S; s++) {
        const float unit = scale[n * S + s];
        const int32_t z = zero[n * S + s];
        for (const size_t end = c + order[C + s]; c < end; c++) {
          y[n * C + order[c]] = static_cast<float>(codes[n * C + c] - z) * unit;
        }
      }
    }
  });
}
void gifDecode(const Call& call) {
  const Gif gif = readGif(call.numbers + 2);
  if (gif.wide()) decodeRows<uint16_t>(call, gif);
  else decodeRows<uint8_t>(call, gif);
}
