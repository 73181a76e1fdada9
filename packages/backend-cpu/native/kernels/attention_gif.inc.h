// Attention over spiking keys and values: encode what is new, decode the cache to floats, attend.

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
  for (size_t s = 0; s < gif.S; s++) gifParameters(gif, gif.classes[s], min, max, scale + s, zero + s);
  for (size_t d = 0; d < D; d++) {
    const auto s = static_cast<size_t>(classes[d]);
    codes[d] = static_cast<Code>(Encoder(scale[s], zero[s], gif.maxCode(gif.classes[s])).encode1(x[d]));
  }
}

/// y = (code - zero) scale for channels with a threshold each of few: scale[classes[d]].
template <class Code>
void decodeHead(const Code* codes, size_t D, const int32_t* classes, const float* scale, const int32_t* zero, size_t S,
                float* y) {
  float zeros_[5];
  for (size_t s = 0; s < S; s++) zeros_[s] = static_cast<float>(zero[s]);
  size_t d = 0;
  for (; d + LANES <= D; d += LANES) {
    const F centred = sub(loadWhole(codes + d), gather(zeros_, classes + d));
    store(y + d, mul(centred, gather(scale, classes + d)));
  }
  for (; d < D; d++) y[d] = (static_cast<float>(codes[d]) - zeros_[classes[d]]) * scale[classes[d]];
}

/// Encodes the N new tokens of x and decodes the whole cache to floats [position + N, K D].
template <class Code>
float* throughTokens(const Call& call, const Heads& heads, const Gif& gif, const float* x, TokenCache<Code> cache) {
  const size_t width = heads.width(), K = heads.K, D = heads.D, S = gif.S;
  auto* decoded = scratchOf<float>(call, heads.total() * width);
  parallelRanges(call, heads.total(), rowGrain(2 * width), [&](size_t from, size_t to) {
    for (size_t t = from; t < to; t++) {
      for (size_t head = 0; head < K; head++) {
        Code* codes = cache.codes + t * width + head * D;
        float* scale = cache.scale + (t * K + head) * S;
        int32_t* zero = cache.zero + (t * K + head) * S;
        const int32_t* classes = cache.classes + head * D;
        if (t >= heads.position) {
          encodeHead(gif, x + (t - heads.position) * width + head * D, D, classes, codes, scale, zero);
        }
        decodeHead(codes, D, classes, scale, zero, S, decoded + t * width + head * D);
      }
    }
  });
  return decoded;
}

/// x as a train of `steps` steps would carry it.
inline float roundTrip(const Gif& gif, int steps, float scale, int32_t zero, float x) {
  return (Encoder(scale, zero, gif.maxCode(steps)).encode1(x) - static_cast<float>(zero)) * scale;
}

/// Queries as their spikes decode: one step, thresholds per token and head.
float* roundTripQueries(const Call& call, const Heads& heads, const Gif& gif) {
  const auto* q = operand<float>(call, 0);
  const size_t D = heads.D;
  auto* rounded = scratchOf<float>(call, heads.N * heads.H * D);
  parallelRanges(call, heads.N * heads.H, rowGrain(4 * D), [&](size_t from, size_t to) {
    for (size_t row = from; row < to; row++) {
      float min, max, scale;
      int32_t zero;
      extent(q + row * D, D, &min, &max);
      gifParameters(gif, 1, min, max, &scale, &zero);
      for (size_t i = row * D; i < (row + 1) * D; i++) rounded[i] = roundTrip(gif, 1, scale, zero, q[i]);
    }
  });
  return rounded;
}

/// Operands [first, first + 3): codes, scale and zero of a cache.
template <class Code>
TokenCache<Code> tokenCache(const Call& call, int first, const int32_t* classes) {
  return {operand<Code>(call, first), operand<float>(call, first + 1), operand<int32_t>(call, first + 2), classes};
}

/// attend_gif_token_f32. Operands q, k, v, y, packed, keyCodes, keyScale, keyZero, valueCodes, valueScale, valueZero;
/// numbers N, H, K, D, position, then the GIF format.
template <class Code>
void attendTokens(const Call& call, const Gif& gif) {
  const Heads heads(call);
  const auto* classes = operand<int32_t>(call, 4);
  const float* keys =
      throughTokens(call, heads, gif, operand<float>(call, 1), tokenCache<Code>(call, 5, classes));
  const float* values =
      throughTokens(call, heads, gif, operand<float>(call, 2), tokenCache<Code>(call, 8, classes + heads.width()));
  const float* q = roundTripQueries(call, heads, gif);
  attendAll(call, heads, q, Cache{keys, keys, 0, values, heads.width()}, 0, operand<float>(call, 3));
}

/// Encodes block `index` of the floats x [block, width] channel by channel.
template <class Code>
void encodeBlock(const Gif& gif, const float* x, size_t block, size_t width, const TokenCache<Code>& cache,
                 size_t index) {
  for (size_t d = 0; d < width; d++) {
    float min = INFINITY, max = -INFINITY;
    for (size_t t = 0; t < block; t++) {
      const float value = x[t * width + d];
      if (value < min) min = value;
      if (value > max) max = value;
    }
    const int steps = gif.classes[cache.classes[d]];
    float* scale = cache.scale + index * width + d;
    int32_t* zero = cache.zero + index * width + d;
    gifParameters(gif, steps, min, max, scale, zero);
    const Encoder encoder(*scale, *zero, gif.maxCode(steps));
    for (size_t t = 0; t < block; t++) {
      cache.codes[(index * block + t) * width + d] = static_cast<Code>(encoder.encode1(x[t * width + d]));
    }
  }
}

/// attend_gif_block_f32. Operands as attend_gif_token_f32, then openKeys; numbers too, then block.
template <class Code>
void attendBlocks(const Call& call, const Gif& gif) {
  const Heads heads(call);
  const auto* classes = operand<int32_t>(call, 4);
  const auto keyCache = tokenCache<Code>(call, 5, classes);
  const auto* k = operand<float>(call, 1);
  auto* openKeys = operand<float>(call, 11);
  const size_t width = heads.width(), block = size(call, static_cast<int>(8 + gif.S));
  const size_t filled = heads.position % block, openFrom = heads.position - filled;

  auto* open = scratchOf<float>(call, (filled + heads.N) * width);
  std::memcpy(open, openKeys, filled * width * sizeof(float));
  std::memcpy(open + filled * width, k, heads.N * width * sizeof(float));
  for (size_t n = heads.N > block ? heads.N - block : 0; n < heads.N; n++) {
    std::memcpy(openKeys + (heads.position + n) % block * width, k + n * width, width * sizeof(float));
  }

  const size_t closedBlocks = heads.total() / block;
  auto* closed = scratchOf<float>(call, closedBlocks * block * width);
  parallel(call, closedBlocks, [&](size_t b, unsigned) {
    if (b * block >= openFrom) encodeBlock(gif, open + (b * block - openFrom) * width, block, width, keyCache, b);
    for (size_t t = b * block; t < (b + 1) * block; t++) {
      for (size_t d = 0; d < width; d++) {
        const auto zero = static_cast<float>(keyCache.zero[b * width + d]);
        closed[t * width + d] =
            (static_cast<float>(keyCache.codes[t * width + d]) - zero) * keyCache.scale[b * width + d];
      }
    }
  });
  const float* values =
      throughTokens(call, heads, gif, operand<float>(call, 2), tokenCache<Code>(call, 8, classes + width));
  const float* q = roundTripQueries(call, heads, gif);
  attendAll(call, heads, q, Cache{closed, open, openFrom, values, width}, block, operand<float>(call, 3));
}

void attendGifToken(const Call& call) {
  const Gif gif = readGif(call.numbers + 5);
  if (gif.wide()) attendTokens<uint16_t>(call, gif);
  else attendTokens<uint8_t>(call, gif);
}
void attendGifBlock(const Call& call) {
  const Gif gif = readGif(call.numbers + 5);
  if (gif.wide()) attendBlocks<uint16_t>(call, gif);
  else attendBlocks<uint8_t>(call, gif);
}

/// attend_gif_published_f32: key thresholds per channel over all tokens of the call, steps per query head.
/// Operands q, k, v, y, packed; numbers N, H, K, D, 0, then the GIF format.
void attendGifPublished(const Call& call) {
  const Heads heads(call);
  const Gif gif = readGif(call.numbers + 5);
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
  const float* q = roundTripQueries(call, heads, gif);
  attendAll(call, heads, q, Cache{keys, keys, 0, values, width}, 0, operand<float>(call, 3));
}
