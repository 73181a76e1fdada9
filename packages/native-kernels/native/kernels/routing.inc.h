// Experts: which of them a token goes to, and what each of them counts.

/// What a row of routing logits becomes: the probabilities of the `top` largest, the first of equals, and 0 for others; of all, or
/// `renormalised` of those alone. Writes the weight that each has in the sum of probabilities: of those alone 0 for others.
inline void shares(const float* x, size_t E, size_t top, bool renormalised, float* share, bool* kept) {
  for (size_t e = 0; e < E; e++) kept[e] = false;
  for (size_t taken = 0; taken < top && taken < E; taken++) {
    size_t best = E;
    for (size_t e = 0; e < E; e++)
      if (!kept[e] && (best == E || x[e] > x[best])) best = e;
    kept[best] = true;
  }
  float largest = x[0];
  for (size_t e = 1; e < E; e++) largest = x[e] > largest ? x[e] : largest;
  double sum = 0;
  for (size_t e = 0; e < E; e++) {
    share[e] = renormalised && !kept[e] ? 0 : static_cast<float>(std::exp(static_cast<double>(x[e]) - largest));
    sum += share[e];
  }
  for (size_t e = 0; e < E; e++) share[e] = static_cast<float>(share[e] / sum);
}

/// route_f32. Operands x, y; numbers N, E, top, renormalised.
void route(const Call& call) {
  const auto* x = operand<float>(call, 0);
  auto* y = operand<float>(call, 1);
  const size_t N = size(call, 0), E = size(call, 1), top = size(call, 2);
  const bool renormalised = call.numbers[3] != 0;
  auto* kept = scratchOf<bool>(call, N * E);
  parallelRanges(call, N, rowGrain(16 * E), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      shares(x + n * E, E, top, renormalised, y + n * E, kept + n * E);
      for (size_t e = n * E; e < (n + 1) * E; e++)
        if (!kept[e]) y[e] = 0;
    }
  });
}

/// route_backward_f32. Operands x, dy, dx; numbers as route_f32.
void routeBackward(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* dy = operand<float>(call, 1);
  auto* dx = operand<float>(call, 2);
  const size_t N = size(call, 0), E = size(call, 1), top = size(call, 2);
  const bool renormalised = call.numbers[3] != 0;
  auto* kept = scratchOf<bool>(call, N * E);
  parallelRanges(call, N, rowGrain(16 * E), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const size_t at = n * E;
      shares(x + at, E, top, renormalised, dx + at, kept + at);
      double mean = 0;
      for (size_t e = at; e < at + E; e++)
        if (kept[e]) mean += static_cast<double>(dx[e]) * dy[e];
      for (size_t e = at; e < at + E; e++)
        dx[e] = static_cast<float>(dx[e] * ((kept[e] ? static_cast<double>(dy[e]) : 0.0) - mean));
    }
  });
}

/// weigh_f32. Operands x, by, y; numbers N, C, E, column.
void weigh(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* by = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 0), C = size(call, 1), E = size(call, 2), column = size(call, 3);
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const float weight = by[n * E + column];
      for (size_t i = n * C; i < (n + 1) * C; i++) y[i] = x[i] * weight;
    }
  });
}

/// weigh_backward_f32. Operands x, by, dy, dx, dby; numbers as weigh_f32.
void weighBackward(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* by = operand<float>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* dx = operand<float>(call, 3);
  auto* dby = operand<float>(call, 4);
  const size_t N = size(call, 0), C = size(call, 1), E = size(call, 2), column = size(call, 3);
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const float weight = by[n * E + column];
      double sum = 0;
      for (size_t i = n * C; i < (n + 1) * C; i++) {
        dx[i] = dy[i] * weight;
        sum += static_cast<double>(x[i]) * dy[i];
      }
      for (size_t e = 0; e < E; e++) dby[n * E + e] = e == column ? static_cast<float>(sum) : 0;
    }
  });
}
