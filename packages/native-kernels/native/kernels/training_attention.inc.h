// Attention over one window without a cache, and its gradient: probabilities are computed again, a tile of queries
// against all their keys, then a tile of keys against all their queries.

/// Tokens of a tile, at most.
constexpr size_t WINDOW_TILE = 32;

/// Tokens [from, to) of one head, all of the block that begins at `block`; none past the end of a block not whole.
struct WindowTile {
  size_t head, from, to, block;
};

/// Operands q, k, v, closed begin each window kernel; numbers of Heads, then block.
struct Window {
  Heads heads;
  const float *q, *k, *v, *closed;
  size_t block;  // N where no keys are closed
  explicit Window(const Call& call)
      : heads(call),
        q(operand<float>(call, 0)),
        k(operand<float>(call, 1)),
        v(operand<float>(call, 2)),
        closed(operand<float>(call, 3)),
        block(closed == nullptr ? heads.N : smallerSize(size(call, HEADS), heads.N)) {}

  size_t step() const { return smallerSize(block, WINDOW_TILE); }
  size_t tilesOfBlock() const { return divideUp(block, step()); }
  size_t tileCount() const { return divideUp(heads.N, block) * tilesOfBlock(); }
  WindowTile tile(size_t index, size_t head) const {
    const size_t first = index / tilesOfBlock() * block;
    const size_t from = first + index % tilesOfBlock() * step();
    const size_t to = smallerSize(smallerSize(from + step(), first + block), heads.N);
    return WindowTile{head, from, to, first};
  }
};

/// attend_window_f32. Operands q, k, v, closed, y.
void attendWindow(const Call& call) {
  const Window window(call);
  auto source = floatSource(window.heads, window.q, window.k, window.v);
  if (window.closed != nullptr) {
    source.closed.rows = window.closed;
    source.block = window.block;
  }
  attendAll(call, window.heads, source, operand<float>(call, 4));
}

/// What the softmax of each query was: row[n] of head h at h stride + n.
struct SoftmaxRows {
  float *largest, *inverse, *mean;
  size_t stride;
};

/// Floats from a row of scores to the next.
inline size_t windowStride(const Heads& heads) { return spreadStride(heads.N); }

/// The scratch of one thread. `slopes` are the derivatives of capped scores by products, of one row.
struct AttentionMemory {
  float *weights, *gradients, *a, *b, *sum, *part, *panel, *slopes;
  static size_t floats(const Heads& heads) {
    return WINDOW_TILE * (2 * windowStride(heads) + 2 * spreadStride(heads.D) + 3 * heads.D) + PANEL +
           windowStride(heads) + 64;
  }
  AttentionMemory(float* memory, const Heads& heads) {
    const size_t scores = WINDOW_TILE * windowStride(heads), rows_ = WINDOW_TILE * spreadStride(heads.D);
    weights = memory;
    gradients = weights + scores;
    a = gradients + scores;
    b = a + rows_;
    sum = b + rows_;
    part = sum + 2 * WINDOW_TILE * heads.D;
    panel = part + WINDOW_TILE * heads.D;
    slopes = panel + PANEL;
  }
};

/// Copies `count` rows of D values, `stride` apart, to rows of spreadStride(D).
inline void stageRows(const float* from, size_t stride, size_t count, size_t D, float* to) {
  for (size_t m = 0; m < count; m++) std::memcpy(to + m * spreadStride(D), from + m * stride, D * sizeof(float));
}

/// The derivative of a capped score by the product that it is of: scale (1 - (score / softcap)^2).
inline F capSlope(F score, const Heads& heads) {
  const F part = mul(score, broadcast(1 / heads.softcap));
  return mul(broadcast(heads.scale), sub(broadcast(1), mul(part, part)));
}

/// dq of a tile of queries, and its softmax rows.
void queryGradient(const Window& window, const WindowTile& tile_, const float* dy, float* dq, const SoftmaxRows& rows_,
                   const AttentionMemory& memory) {
  const Heads& heads = window.heads;
  const auto [head, from, to, first] = tile_;
  const size_t D = heads.D, M = to - from, stride = windowStride(heads), width = heads.width();
  const size_t column = head * heads.K / heads.H * D, closed = window.closed == nullptr ? 0 : first;
  // Keys from `begin` on are seen, those from `own` on in float.
  const size_t begin = heads.firstSeen(from), own = begin < closed ? closed : begin, count = own - begin;
  stageRows(window.q + (from * heads.H + head) * D, heads.H * D, M, D, memory.a);
  stageRows(dy + (from * heads.H + head) * D, heads.H * D, M, D, memory.b);
  const float* keys = window.k + own * width + column;
  const float* closedKeys = count == 0 ? nullptr : window.closed + begin * width + column;
  if (count > 0) {
    multiply(memory.a, spreadStride(D), closedKeys, width, true, memory.weights + begin, stride, M, count, D,
             memory.panel);
  }
  multiply(memory.a, spreadStride(D), keys, width, true, memory.weights + own, stride, M, to - own, D, memory.panel);
  multiply(memory.b, spreadStride(D), window.v + begin * width + column, width, true, memory.gradients + begin, stride,
           M, to - begin, D, memory.panel);
  const size_t padded = roundUp(to, LANES), aligned = begin / LANES * LANES;
  const bool isCapped = heads.softcap > 0;
  for (size_t m = 0; m < M; m++) {
    const size_t n = from + m, at = head * rows_.stride + n;
    float* weights = memory.weights + m * stride;
    float* gradients = memory.gradients + m * stride;
    const size_t seen = heads.firstSeen(n);
    if (isCapped) {
      capRow(weights, aligned, padded, heads.scale, heads.softcap);
      for (size_t t = aligned; t < padded; t += LANES) store(memory.slopes + t, capSlope(load(weights + t), heads));
    }
    float smallest;
    extent(weights + seen, n + 1 - seen, &smallest, &rows_.largest[at]);
    for (size_t t = aligned; t < seen; t++) gradients[t] = 0;
    for (size_t t = n + 1; t < padded; t++) gradients[t] = 0;
    const float inverse = 1 / softmaxRow(weights, {seen, n + 1, aligned, padded}, isCapped ? 1 : heads.scale);
    F products = broadcast(0);
    for (size_t t = aligned; t < padded; t += LANES) products = mulAdd(load(weights + t), load(gradients + t), products);
    const float mean = sumOf(products) * inverse;
    const F factor = broadcast(isCapped ? inverse : inverse * heads.scale);
    for (size_t t = aligned; t < padded; t += LANES) {
      const F difference = sub(load(gradients + t), broadcast(mean));
      store(gradients + t, mul(mul(load(weights + t), factor), difference));
    }
    if (isCapped) {
      for (size_t t = seen; t <= n; t++) gradients[t] *= memory.slopes[t];
    }
    rows_.inverse[at] = inverse;
    rows_.mean[at] = mean;
  }
  float* result = dq + (from * heads.H + head) * D;
  multiply(memory.gradients + own, stride, keys, width, false, result, heads.H * D, M, D, to - own, memory.panel);
  if (count == 0) return;
  multiply(memory.gradients + begin, stride, closedKeys, width, false, memory.part, D, M, D, count, memory.panel);
  for (size_t m = 0; m < M; m++) {
    for (size_t d = 0; d < D; d++) result[m * heads.H * D + d] += memory.part[m * D + d];
  }
}

/// Adds what queries [from, to) of a head give to the keys (sum) and values (sum + T D) of a tile of tokens.
void keyGradient(const Window& window, const WindowTile& tokens, const float* keys, size_t head, size_t from, size_t to,
                 const float* dy, const SoftmaxRows& rows_, const AttentionMemory& memory) {
  const Heads& heads = window.heads;
  if (heads.window > 0) to = smallerSize(to, tokens.to - 1 + heads.window);
  if (from >= to) return;
  const size_t D = heads.D, T = tokens.to - tokens.from, count = to - from, stride = windowStride(heads);
  const size_t width = heads.width(), column = head * heads.K / heads.H * D, ldq = heads.H * D;
  const float* q = window.q + (from * heads.H + head) * D;
  const float* gradient = dy + (from * heads.H + head) * D;
  stageRows(keys + tokens.from * width + column, width, T, D, memory.a);
  stageRows(window.v + tokens.from * width + column, width, T, D, memory.b);
  multiply(memory.a, spreadStride(D), q, ldq, true, memory.weights, stride, T, count, D, memory.panel);
  multiply(memory.b, spreadStride(D), gradient, ldq, true, memory.gradients, stride, T, count, D, memory.panel);
  const size_t at = head * rows_.stride + from;
  const bool isCapped = heads.softcap > 0;
  for (size_t t = 0; t < T; t++) {
    float* weights = memory.weights + t * stride;
    float* gradients = memory.gradients + t * stride;
    if (isCapped) capRow(weights, 0, count, heads.scale, heads.softcap);
    for (size_t n = 0; n < count; n += LANES) {
      const F score = load(weights + n), below = sub(score, load(rows_.largest + at + n));
      const F slope = isCapped ? capSlope(score, heads) : broadcast(heads.scale);
      const F weight = mul(expOf(isCapped ? below : mul(below, broadcast(heads.scale))), load(rows_.inverse + at + n));
      const F difference = sub(load(gradients + n), load(rows_.mean + at + n));
      store(weights + n, weight);
      store(gradients + n, mul(mul(weight, slope), difference));
    }
    const size_t token = tokens.from + t, last = heads.window == 0 ? to : smallerSize(to, token + heads.window);
    for (size_t n = from; n < smallerSize(to, token); n++) weights[n - from] = gradients[n - from] = 0;
    for (size_t n = last < from ? from : last; n < to; n++) weights[n - from] = gradients[n - from] = 0;
  }
  multiply(memory.gradients, stride, q, ldq, false, memory.part, D, T, D, count, memory.panel);
  for (size_t i = 0; i < T * D; i++) memory.sum[i] += memory.part[i];
  multiply(memory.weights, stride, gradient, ldq, false, memory.part, D, T, D, count, memory.panel);
  for (size_t i = 0; i < T * D; i++) memory.sum[T * D + i] += memory.part[i];
}

/// attend_window_backward_f32. Operands q, k, v, closed, dy, dq, dk, dv, dclosed.
void attendWindowBackward(const Call& call) {
  const Window window(call);
  const Heads& heads = window.heads;
  if (heads.N == 0) return;
  const auto* dy = operand<float>(call, 4);
  auto* dq = operand<float>(call, 5);
  auto* dk = operand<float>(call, 6);
  auto* dv = operand<float>(call, 7);
  auto* dclosed = operand<float>(call, 8);
  const size_t stride = roundUp(heads.N, LANES) + LANES, floats = AttentionMemory::floats(heads);
  auto* rows_ = scratchOf<float>(call, 3 * heads.H * stride);
  const SoftmaxRows softmax{rows_, rows_ + heads.H * stride, rows_ + 2 * heads.H * stride, stride};
  auto* memory = scratchOf<float>(call, threadCount(call) * floats);
  const size_t tileCount = window.tileCount();
  parallel(call, tileCount * heads.H, [&](size_t item, unsigned thread) {
    const WindowTile tile_ = window.tile(tileCount - 1 - item / heads.H, item % heads.H);  // longest first
    if (tile_.from >= tile_.to) return;
    queryGradient(window, tile_, dy, dq, softmax, AttentionMemory(memory + thread * floats, heads));
  });
  const size_t group = heads.H / heads.K, D = heads.D, width = heads.width();
  parallel(call, tileCount * heads.K, [&](size_t item, unsigned thread) {
    const size_t head = item % heads.K;
    const WindowTile tokens = window.tile(item / heads.K, head);
    if (tokens.from >= tokens.to) return;
    const AttentionMemory own(memory + thread * floats, heads);
    const size_t count = tokens.to - tokens.from, blockEnd = smallerSize(heads.N, tokens.block + window.block);
    const auto copyOut = [&](const float* from, float* to, bool add_) {
      for (size_t t = 0; t < count; t++) {
        float* row = to + (tokens.from + t) * width + head * D;
        for (size_t d = 0; d < D; d++) row[d] = add_ ? row[d] + from[t * D + d] : from[t * D + d];
      }
    };
    std::memset(own.sum, 0, 2 * count * D * sizeof(float));
    for (size_t h = head * group; h < (head + 1) * group; h++) {
      keyGradient(window, tokens, window.k, h, tokens.from, blockEnd, dy, softmax, own);
    }
    copyOut(own.sum, dk, false);
    if (window.closed != nullptr) {
      std::memset(own.sum, 0, count * D * sizeof(float));
      for (size_t h = head * group; h < (head + 1) * group; h++) {
        keyGradient(window, tokens, window.closed, h, blockEnd, heads.N, dy, softmax, own);
      }
      if (dclosed != nullptr) copyOut(own.sum, dclosed, true);
    }
    copyOut(own.sum + count * D, dv, false);
  });
}
