// What every attention kernel is given, and how a row of scores becomes probabilities.

/// The numbers with which every attention kernel begins.
constexpr int HEADS = 8;
struct Heads {
  size_t N, H, K, D, position;
  float scale;
  size_t window;  // 0: all tokens so far
  float softcap;  // 0: none
  /// Numbers N, H, K, D, position, scale, window, softcap.
  explicit Heads(const Call& call)
      : N(size(call, 0)),
        H(size(call, 1)),
        K(size(call, 2)),
        D(size(call, 3)),
        position(size(call, 4)),
        scale(static_cast<float>(call.numbers[5])),
        window(size(call, 6)),
        softcap(static_cast<float>(call.numbers[7])) {}
  /// The first position that the query at position `at` sees.
  size_t firstSeen(size_t at) const { return window == 0 || at < window ? 0 : at + 1 - window; }
  size_t width() const { return K * D; }
  size_t total() const { return position + N; }
  size_t group() const { return H / K; }
};

/// row[t] = softcap tanh(scale row[t] / softcap) for t in [from, to), whole vectors.
SHARED void capRow(float* row, size_t from, size_t to, float scale, float softcap) {
  const F inner = broadcast(scale / softcap), outer = broadcast(softcap);
  for (size_t t = from; t < to; t += LANES) store(row + t, mul(outer, tanhOf(mul(inner, load(row + t)))));
}

/// Positions of a row of scores: those a query sees, [first, end), among those that are written, [from, to).
struct Seen {
  size_t first, end, from, to;
};

/// row[t] = exp(scale (row[t] - largest)) where t is seen, else 0; returns the sum.
SHARED float softmaxRow(float* row, const Seen& seen, float scale) {
  for (size_t t = seen.from; t < seen.first; t++) row[t] = -INFINITY;
  for (size_t t = seen.end; t < seen.to; t++) row[t] = -INFINITY;
  F most = broadcast(-INFINITY);
  for (size_t t = seen.from; t < seen.to; t += LANES) most = larger(load(row + t), most);
  const F largest = broadcast(largestOf(most));
  F sum = broadcast(0);
  for (size_t t = seen.from; t < seen.to; t += LANES) {
    const F weight = expOf(mul(sub(load(row + t), largest), broadcast(scale)));
    store(row + t, weight);
    sum = add(sum, weight);
  }
  return sumOf(sum);
}
