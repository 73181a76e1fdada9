// Attention over spiking keys and values: encode what is new, then attend to the cache, decoded as it is read.

/// pack_classes: the class of each channel of keys, then of values, int32 [channels of both].
/// Operands keySteps, valueSteps, packed; numbers channels of keys, channels of values, then the GIF format.
size_t classesBytes(const double* numbers) { return static_cast<size_t>(numbers[0] + numbers[1]) * sizeof(int32_t); }
void packClasses(const Call& call) {
  const Gif gif = readGif(call.numbers + 2);
  auto* classes = operand<int32_t>(call, 2);
  for (int i = 0; i < 2; i++) {
    const auto* steps = operand<uint8_t>(call, i);
    for (size_t c = 0; c < size(call, i); c++) *classes++ = static_cast<int32_t>(gif.classOf(steps[c]));
  }
}

/// Codes of a cache with thresholds per token, head and class.
template <class Code>
struct TokenCache {
  Code* codes;       // [.., K D]
  float* scale;      // [.., K S]
  int32_t* zero;     // [.., K S]
  const int32_t* classes;  // [K D]
};

/// Encodes the D values of one head.
template <class Code>
void encodeHead(const Gif& gif, const float* x, size_t D, const int32_t* classes, Code* codes, float* scale,
                int32_t* zero) {
  float min, max;
  extent(x, D, &min, &max);
  float scales[8] = {}, zeros_[8] = {}, low[8] = {}, high[8] = {};
  for (size_t s = 0; s < gif.S; s++) {
    gifParameters(gif, gif.classes[s], min, max, scale + s, zero + s);
    const Encoder encoder(scale[s], zero[s], gif.maxCode(gif.classes[s]));
    scales[s] = encoder.scale, zeros_[s] = encoder.zero, low[s] = encoder.low, high[s] = encoder.high;
  }
  size_t d = 0;
  for (; d + LANES <= D; d += LANES) {
    const F rounded = roundEven(div(load(x + d), lookup(scales, classes + d)));
    const F raised = larger(rounded, lookup(low, classes + d));
    storeWhole(codes + d, add(smaller(raised, lookup(high, classes + d)), lookup(zeros_, classes + d)));
  }
  for (; d < D; d++) {
    const auto s = static_cast<size_t>(classes[d]);
    codes[d] = static_cast<Code>(Encoder(scale[s], zero[s], gif.maxCode(gif.classes[s])).encode1(x[d]));
  }
}

/// The rows of a cache with thresholds per token and head, decoded: y = (code - zero) scale.
template <class Code>
struct TokenRows {
  TokenCache<Code> cache;
  size_t K, D, S;
  void operator()(size_t head, size_t from, size_t count, float* to, size_t stride) const {
    const int32_t* classes = cache.classes + head * D;
    for (size_t t = from; t < from + count; t++, to += stride) {
      const Code* codes = cache.codes + t * K * D + head * D;
      const float* scale = cache.scale + (t * K + head) * S;
      const int32_t* zero = cache.zero + (t * K + head) * S;
      float scales[8] = {}, zeros_[8] = {};
      for (size_t s = 0; s < S; s++) scales[s] = scale[s], zeros_[s] = static_cast<float>(zero[s]);
      size_t d = 0;
      for (; d + LANES <= D; d += LANES) {
        const F centred = sub(loadWhole(codes + d), lookup(zeros_, classes + d));
        store(to + d, mul(centred, lookup(scales, classes + d)));
      }
      for (; d < D; d++) to[d] = (static_cast<float>(codes[d]) - zeros_[classes[d]]) * scales[classes[d]];
    }
  }
};

/// Encodes the N new tokens of x.
template <class Code>
TokenRows<Code> appendTokens(const Call& call, const Heads& heads, const Gif& gif, const float* x,
                             TokenCache<Code> cache) {
  const size_t K = heads.K, D = heads.D, S = gif.S;
  parallelRanges(call, heads.N * K, rowGrain(4 * D), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
      const size_t row = heads.position * K + i;
      encodeHead(gif, x + i * D, D, cache.classes + i % K * D, cache.codes + row * D, cache.scale + row * S,
                 cache.zero + row * S);
    }
  });
  return {cache, K, D, S};
}

/// x as a train of `steps` steps would carry it.
inline float roundTrip(const Gif& gif, int steps, float scale, int32_t zero, float x) {
  return (Encoder(scale, zero, gif.maxCode(steps)).encode1(x) - static_cast<float>(zero)) * scale;
}

/// Queries as their spikes decode: one step, thresholds per token and head.
struct GifQueries {
  const float* q;
  const Gif& gif;
  void operator()(size_t row, size_t D, float* to) const {
    const float* x = q + row * D;
    float min, max, scale;
    int32_t zero;
    extent(x, D, &min, &max);
    gifParameters(gif, 1, min, max, &scale, &zero);
    const Encoder encoder(scale, zero, gif.maxCode(1));
    size_t d = 0;
    for (; d + LANES <= D; d += LANES) {
      store(to + d, mul(sub(encoder.encode(load(x + d)), broadcast(encoder.zero)), broadcast(scale)));
    }
    for (; d < D; d++) to[d] = roundTrip(gif, 1, scale, zero, x[d]);
  }
};

/// Operands [first, first + 3): codes, scale and zero of a cache.
template <class Code>
TokenCache<Code> tokenCache(const Call& call, int first, const int32_t* classes) {
  return {operand<Code>(call, first), operand<float>(call, first + 1), operand<int32_t>(call, first + 2), classes};
}

/// attend_gif_token_f32. Operands q, k, v, y, packed, keyCodes, keyScale, keyZero, valueCodes, valueScale, valueZero;
/// numbers of Heads, then the GIF format.
template <class Code>
void attendTokens(const Call& call, const Gif& gif) {
  const Heads heads(call);
  const auto* classes = operand<int32_t>(call, 4);
  const auto keys = appendTokens(call, heads, gif, operand<float>(call, 1), tokenCache<Code>(call, 5, classes));
  const auto values =
      appendTokens(call, heads, gif, operand<float>(call, 2), tokenCache<Code>(call, 8, classes + heads.width()));
  using Rows = TokenRows<Code>;
  const Source<GifQueries, Rows, Rows, Rows> source{{operand<float>(call, 0), gif}, keys, keys, values, 0};
  attendAll(call, heads, source, operand<float>(call, 3));
}

/// Encodes block `index` of the floats x [block, width] channel by channel.
template <class Code>
void encodeBlock(const Gif& gif, const float* x, size_t block, size_t width, const TokenCache<Code>& cache,
                 size_t index) {
  float* scale = cache.scale + index * width;
  int32_t* zero = cache.zero + index * width;
  Code* codes = cache.codes + index * block * width;
  for (size_t d = 0; d < width; d += LANES) {
    const size_t channels = smallerSize(LANES, width - d);
    float min[LANES], max[LANES], zeros_[LANES] = {}, low[LANES] = {}, high[LANES] = {}, scales[LANES] = {};
    for (size_t i = 0; i < channels; i++) min[i] = INFINITY, max[i] = -INFINITY;
    for (size_t t = 0; t < block; t++) {
      for (size_t i = 0; i < channels; i++) {
        const float value = x[t * width + d + i];
        min[i] = value < min[i] ? value : min[i];
        max[i] = value > max[i] ? value : max[i];
      }
    }
    for (size_t i = 0; i < channels; i++) {
      const int steps = gif.classes[cache.classes[d + i]];
      gifParameters(gif, steps, min[i], max[i], scale + d + i, zero + d + i);
      const Encoder encoder(scale[d + i], zero[d + i], gif.maxCode(steps));
      scales[i] = encoder.scale, zeros_[i] = encoder.zero, low[i] = encoder.low, high[i] = encoder.high;
    }
    for (size_t t = 0; t < block; t++) {
      const size_t at = t * width + d;
      if (channels == LANES) {
        const F raised = larger(roundEven(div(load(x + at), load(scales))), load(low));
        storeWhole(codes + at, add(smaller(raised, load(high)), load(zeros_)));
        continue;
      }
      for (size_t i = 0; i < channels; i++) {
        const int steps = gif.classes[cache.classes[d + i]];
        codes[at + i] = static_cast<Code>(Encoder(scales[i], zero[d + i], gif.maxCode(steps)).encode1(x[at + i]));
      }
    }
  }
}

/// The rows of a cache with thresholds per block and channel, decoded: y = (code - zero) scale.
template <class Code>
struct BlockRows {
  TokenCache<Code> cache;
  size_t block, width, D;
  void operator()(size_t head, size_t from, size_t count, float* to, size_t stride) const {
    for (size_t t = from; t < from + count; t++, to += stride) {
      const Code* codes = cache.codes + t * width + head * D;
      const float* scale = cache.scale + t / block * width + head * D;
      const int32_t* zero = cache.zero + t / block * width + head * D;
      for (size_t d = 0; d < D; d++) to[d] = (static_cast<float>(codes[d]) - static_cast<float>(zero[d])) * scale[d];
    }
  }
};

/// attend_gif_block_f32. Operands as attend_gif_token_f32, then openKeys; numbers too, then block.
template <class Code>
void attendBlocks(const Call& call, const Gif& gif) {
  const Heads heads(call);
  const auto* classes = operand<int32_t>(call, 4);
  const auto keyCache = tokenCache<Code>(call, 5, classes);
  const auto* k = operand<float>(call, 1);
  auto* openKeys = operand<float>(call, 11);
  const size_t width = heads.width(), block = size(call, static_cast<int>(HEADS + 3 + gif.S));
  const size_t filled = heads.position % block;

  auto* open = scratchOf<float>(call, (filled + heads.N) * width);
  std::memcpy(open, openKeys, filled * width * sizeof(float));
  std::memcpy(open + filled * width, k, heads.N * width * sizeof(float));
  for (size_t n = heads.N > block ? heads.N - block : 0; n < heads.N; n++) {
    std::memcpy(openKeys + (heads.position + n) % block * width, k + n * width, width * sizeof(float));
  }

  const size_t firstBlock = heads.position / block;
  parallel(call, heads.total() / block - firstBlock, [&](size_t b, unsigned) {
    encodeBlock(gif, open + b * block * width, block, width, keyCache, firstBlock + b);
  });
  const auto values =
      appendTokens(call, heads, gif, operand<float>(call, 2), tokenCache<Code>(call, 8, classes + width));
  const Source<GifQueries, BlockRows<Code>, FloatRows, TokenRows<Code>> source{
      {operand<float>(call, 0), gif},
      {keyCache, block, width, heads.D},
      {open, firstBlock * block, width, heads.D},
      values,
      block};
  attendAll(call, heads, source, operand<float>(call, 3));
}

void attendGifToken(const Call& call) {
  const Gif gif = readGif(call.numbers + HEADS);
  if (gif.wide()) attendTokens<uint16_t>(call, gif);
  else attendTokens<uint8_t>(call, gif);
}
void attendGifBlock(const Call& call) {
  const Gif gif = readGif(call.numbers + HEADS);
  if (gif.wide()) attendBlocks<uint16_t>(call, gif);
  else attendBlocks<uint8_t>(call, gif);
}

/// attend_gif_whole_f32: key thresholds per channel over all tokens of the call, steps per query head.
/// Operands q, k, v, y, packed; numbers of Heads, then the GIF format.
void attendGifWhole(const Call& call) {
  const Heads heads(call);
  const Gif gif = readGif(call.numbers + HEADS);
  const auto* k = operand<float>(call, 1);
  const auto* v = operand<float>(call, 2);
  const size_t N = heads.N, D = heads.D, width = heads.H * D;
  const auto* keyClasses = operand<int32_t>(call, 4);
  const auto* valueClasses = keyClasses + width;
  auto* keys = scratchOf<float>(call, N * width);
  auto* values = scratchOf<float>(call, N * width);
  parallel(call, heads.H, [&](size_t h, unsigned) {
    const size_t column = h * heads.K / heads.H * D;
    float scale[5];
    int32_t zero[5];
    for (size_t d = 0; d < D; d++) {
      float min = INFINITY, max = -INFINITY;
      for (size_t n = 0; n < N; n++) {
        const float value = k[n * heads.width() + column + d];
        if (value < min) min = value;
        if (value > max) max = value;
      }
      const int steps = gif.classes[keyClasses[h * D + d]];
      gifParameters(gif, steps, min, max, scale, zero);
      for (size_t n = 0; n < N; n++) {
        keys[n * width + h * D + d] = roundTrip(gif, steps, *scale, *zero, k[n * heads.width() + column + d]);
      }
    }
    for (size_t n = 0; n < N; n++) {
      const float* row = v + n * heads.width() + column;
      float min, max;
      extent(row, D, &min, &max);
      for (size_t s = 0; s < gif.S; s++) gifParameters(gif, gif.classes[s], min, max, scale + s, zero + s);
      for (size_t d = 0; d < D; d++) {
        const int32_t s = valueClasses[h * D + d];
        values[n * width + h * D + d] = roundTrip(gif, gif.classes[s], scale[s], zero[s], row[d]);
      }
    }
  });
  Heads own = heads;  // every query head has keys and values of its own
  own.K = heads.H;
  const FloatRows keyRows{keys, 0, width, D}, valueRows{values, 0, width, D};
  const Source<GifQueries, FloatRows, FloatRows, FloatRows> source{
      {operand<float>(call, 0), gif}, keyRows, keyRows, valueRows, 0};
  attendAll(call, own, source, operand<float>(call, 3));
}
