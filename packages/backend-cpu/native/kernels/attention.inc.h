// Causal attention over float keys and values. Token n of a call sees the cache up to position + n, so queries are
// independent once all keys and values are in place; a head's queries go in tiles, as two matrix products.

constexpr size_t QUERY_TILE = 32;

struct Heads {
  size_t N, H, K, D, position;
  /// Numbers N, H, K, D, position.
  explicit Heads(const Call& call)
      : N(size(call, 0)), H(size(call, 1)), K(size(call, 2)), D(size(call, 3)), position(size(call, 4)) {}
  size_t width() const { return K * D; }
  size_t total() const { return position + N; }
};

/// Keys and values as floats. A tile reads keys before `split` from `closed`, later ones from `open`.
struct Cache {
  const float* closed;  // [.., width], row 0 is position 0
  const float* open;    // [.., width], row 0 is position `openFrom`
  size_t openFrom;
  const float* values;
  size_t width;
};

/// Queries [from, to) of one head, whose keys before `split` are closed.
struct QueryTile {
  size_t head, from, to, split;
};

inline size_t scoreStride(const Heads& heads) { return spreadStride(heads.total()); }
/// Floats of scratch of one thread.
inline size_t attentionScratch(const Heads& heads) {
  return QUERY_TILE * (scoreStride(heads) + spreadStride(heads.D)) + PANEL;
}

/// row[t] = exp(scale (row[t] - largest)) for t < count, 0 up to `padded`; returns the sum.
float softmaxRow(float* row, size_t count, size_t padded, float scale) {
  for (size_t t = count; t < padded; t++) row[t] = -INFINITY;
  F most = broadcast(-INFINITY);
  for (size_t t = 0; t < padded; t += LANES) most = larger(load(row + t), most);
  const F largest = broadcast(largestOf(most));
  F sum = broadcast(0);
  for (size_t t = 0; t < padded; t += LANES) {
    const F weight = expOf(mul(sub(load(row + t), largest), broadcast(scale)));
    store(row + t, weight);
    sum = add(sum, weight);
  }
  return sumOf(sum);
}

/// y [to - from, D], rows `ldy` apart, of one tile.
void attendTile(const Heads& heads, const QueryTile& tile_, const float* q, const Cache& cache, float* y, size_t ldy,
                float* memory) {
  const auto [head, from, to, split] = tile_;
  const size_t D = heads.D, M = to - from, count = heads.position + to, stride = scoreStride(heads);
  const size_t column = head * (cache.width / D) / heads.H * D;
  float* scores = memory;
  float* queries = scores + QUERY_TILE * stride;
  float* panel = queries + QUERY_TILE * spreadStride(D);
  for (size_t m = 0; m < M; m++) {
    std::memcpy(queries + m * spreadStride(D), q + ((from + m) * heads.H + head) * D, D * sizeof(float));
  }
  multiply(queries, spreadStride(D), cache.closed + column, cache.width, true, scores, stride, M, split, D, panel);
  const float* open = cache.open + (split - cache.openFrom) * cache.width + column;
  multiply(queries, spreadStride(D), open, cache.width, true, scores + split, stride, M, count - split, D, panel);
  float inverse[QUERY_TILE];
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  for (size_t m = 0; m < M; m++) {
    const size_t seen = heads.position + from + m + 1;
    inverse[m] = 1 / softmaxRow(scores + m * stride, seen, roundUp(count, LANES), scale);
  }
  multiply(scores, stride, cache.values + column, cache.width, false, y, ldy, M, D, count, panel);
  for (size_t m = 0; m < M; m++) {
    for (size_t d = 0; d < D; d++) y[m * ldy + d] *= inverse[m];
  }
}

/// All heads and queries. Tiles end where blocks of `block` positions end; keys of earlier blocks are closed. 0: no blocks.
void attendAll(const Call& call, const Heads& heads, const float* q, const Cache& cache, size_t block, float* y) {
  const size_t step = block == 0 || block > QUERY_TILE ? QUERY_TILE : block;
  const size_t tilesOfBlock = block == 0 ? 0 : divideUp(block, step);
  const size_t firstBlock = block == 0 ? 0 : heads.position / block;
  const size_t tileCount = block == 0 ? divideUp(heads.N, step)
                                      : (divideUp(heads.total(), block) - firstBlock) * tilesOfBlock;
  auto* memory = scratchOf<float>(call, threadCount(call) * attentionScratch(heads));
  parallel(call, tileCount * heads.H, [&](size_t item, unsigned thread) {
    const size_t t = tileCount - 1 - item / heads.H;  // longest first
    QueryTile tile_{item % heads.H, t * step, (t + 1) * step, 0};
    if (block != 0) {
      tile_.split = (firstBlock + t / tilesOfBlock) * block;
      const size_t begin = tile_.split + t % tilesOfBlock * step;
      const size_t end = smallerSize(begin + step, tile_.split + block);
      if (end <= heads.position) return;
      tile_.from = begin < heads.position ? 0 : begin - heads.position;
      tile_.to = end - heads.position;
    }
    tile_.to = smallerSize(tile_.to, heads.N);
    if (tile_.from >= tile_.to) return;
    float* to = y + (tile_.from * heads.H + tile_.head) * heads.D;
    attendTile(heads, tile_, q, cache, to, heads.H * heads.D, memory + thread * attentionScratch(heads));
  });
}

/// attend_f32. Operands q, k, v, keys, values, y; numbers N, H, K, D, position.
void attend(const Call& call) {
  const Heads heads(call);
  const size_t width = heads.width();
  auto* keys = operand<float>(call, 3);
  auto* values = operand<float>(call, 4);
  std::memcpy(keys + heads.position * width, operand<float>(call, 1), heads.N * width * sizeof(float));
  std::memcpy(values + heads.position * width, operand<float>(call, 2), heads.N * width * sizeof(float));
  attendAll(call, heads, operand<float>(call, 0), Cache{keys, keys, 0, values, width}, 0, operand<float>(call, 5));
}

/// kv_saliency_f32. keyScore[h,d] += sum_e (q^T q)[d,e] (k^T k)[d,e]; valueScore[h,d] += sum_n ((P v)[n,d])^2.
/// Operands q, k, v, keyScore, valueScore; numbers N, H, K, D, 0.
void kvSaliency(const Call& call) {
  const Heads heads(call);
  const size_t D = heads.D, H = heads.H, width = heads.width();
  const auto* q = operand<float>(call, 0);
  const auto* k = operand<float>(call, 1);
  const Cache cache{k, k, 0, operand<float>(call, 2), width};
  auto* keyScore = operand<float>(call, 3);
  auto* valueScore = operand<float>(call, 4);
  const size_t floats = attentionScratch(heads) + QUERY_TILE * D, doubles = 2 * D * D + D;
  auto* floatMemory = scratchOf<float>(call, threadCount(call) * floats);
  auto* doubleMemory = scratchOf<double>(call, threadCount(call) * doubles);
  const auto gram = [&](const float* x, size_t stride, double* sums) {
    for (size_t i = 0; i < D * D; i++) sums[i] = 0;
    for (size_t n = 0; n < heads.N; n++, x += stride) {
      for (size_t d = 0; d < D; d++) {
        for (size_t e = 0; e < D; e++) sums[d * D + e] += static_cast<double>(x[d]) * x[e];
      }
    }
  };
  parallel(call, H, [&](size_t h, unsigned thread) {
    double* gramQ = doubleMemory + thread * doubles;
    double* gramK = gramQ + D * D;
    double* squares = gramK + D * D;
    gram(q + h * D, H * D, gramQ);
    gram(k + h * heads.K / H * D, width, gramK);
    for (size_t d = 0; d < D; d++) {
      double score = 0;
      for (size_t e = 0; e < D; e++) score += gramQ[d * D + e] * gramK[d * D + e];
      keyScore[h * D + d] = static_cast<float>(keyScore[h * D + d] + score);
      squares[d] = 0;
    }
    float* memory = floatMemory + thread * floats;
    float* context = memory + attentionScratch(heads);
    for (size_t n = 0; n < heads.N; n += QUERY_TILE) {
      const size_t end = smallerSize(heads.N, n + QUERY_TILE);
      attendTile(heads, QueryTile{h, n, end, 0}, q, cache, context, D, memory);
      for (size_t i = 0; i < (end - n) * D; i++) squares[i % D] += static_cast<double>(context[i]) * context[i];
    }
    for (size_t d = 0; d < D; d++) valueScore[h * D + d] = static_cast<float>(valueScore[h * D + d] + squares[d]);
  });
}
