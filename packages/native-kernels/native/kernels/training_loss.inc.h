// Losses, and gradients of what is read by index or shared by many: tables, biases, vectors of scales.

/// squared_error_f32. Operands x, target, y; numbers N, C.
void squaredError(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* target = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 0), C = size(call, 1);
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      double sum = 0;
      for (size_t i = n * C; i < (n + 1) * C; i++) {
        const double error = static_cast<double>(x[i]) - target[i];
        sum += error * error;
      }
      y[n] = static_cast<float>(sum / static_cast<double>(C));
    }
  });
}

/// squared_error_backward_f32. Operands x, target, dy, dx; numbers N, C.
void squaredErrorBackward(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* target = operand<float>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* dx = operand<float>(call, 3);
  const size_t N = size(call, 0), C = size(call, 1);
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const double factor = 2.0 * dy[n] / static_cast<double>(C);
      for (size_t i = n * C; i < (n + 1) * C; i++) {
        dx[i] = static_cast<float>(factor * (static_cast<double>(x[i]) - target[i]));
      }
    }
  });
}

/// cross_entropy_backward_f32. Operands logits, targets, dy, dlogits; numbers N, V.
void crossEntropyBackward(const Call& call) {
  const auto* logits = operand<float>(call, 0);
  const auto* targets = operand<int32_t>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* dlogits = operand<float>(call, 3);
  const size_t N = size(call, 0), V = size(call, 1);
  parallelRanges(call, N, rowGrain(4 * V), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      if (targets[n] < 0 || static_cast<size_t>(targets[n]) >= V) {
        reportIndex(call, targets[n], static_cast<int64_t>(V));
        continue;
      }
      const float* row = logits + n * V;
      float* gradient = dlogits + n * V;
      float smallest, largest;
      extent(row, V, &smallest, &largest);
      double sum = 0;
      size_t v = 0;
      for (; v + LANES <= V; v += LANES) {
        const F weight = expOf(sub(load(row + v), broadcast(largest)));
        store(gradient + v, weight);
        sum += sumOf(weight);
      }
      for (; v < V; v++) sum += gradient[v] = static_cast<float>(std::exp(static_cast<double>(row[v]) - largest));
      const auto factor = static_cast<float>(dy[n] / sum);
      const float probability = static_cast<float>(gradient[targets[n]] / sum);
      for (v = 0; v < V; v++) gradient[v] *= factor;
      gradient[targets[n]] = dy[n] * (probability - 1);
    }
  });
}

/// to[ids[n]] += rows[n], rows of C elements; those of one id are summed in their order, by the thread of the first.
void scatterRows(const Call& call, const int32_t* ids, const float* rows_, float* to, size_t N, size_t V, size_t C) {
  parallel(call, N, [&](size_t first, unsigned) {
    const int32_t id = ids[first];
    if (id < 0 || static_cast<size_t>(id) >= V) return reportIndex(call, id, static_cast<int64_t>(V));
    for (size_t n = 0; n < first; n++) {
      if (ids[n] == id) return;
    }
    for (size_t c0 = 0; c0 < C; c0 += COLUMNS) {
      const size_t width = smallerSize(COLUMNS, C - c0);
      float* out = to + static_cast<size_t>(id) * C + c0;
      double sums[COLUMNS];
      for (size_t c = 0; c < width; c++) sums[c] = out[c];
      for (size_t n = first; n < N; n++) {
        if (ids[n] != id) continue;
        for (size_t c = 0; c < width; c++) sums[c] += rows_[n * C + c0 + c];
      }
      for (size_t c = 0; c < width; c++) out[c] = static_cast<float>(sums[c]);
    }
  });
}
/// embedding_backward_f32. Operands ids, dy, dtable; numbers N, V, C. gather_backward_f32: ids, dy, dx; N, V, 1.
void scatter(const Call& call) {
  scatterRows(call, operand<int32_t>(call, 0), operand<float>(call, 1), operand<float>(call, 2), size(call, 0),
              size(call, 1), size(call, 2));
}

/// column_sum_f32. Operands x, sum; numbers N, C.
void columnSum(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const size_t N = size(call, 0), C = size(call, 1);
  addColumns(call, N, C, operand<float>(call, 1),
             [&](size_t n, size_t c) { return static_cast<double>(x[n * C + c]); });
}

/// divide_f32. Operands a, divisor, y; numbers C.
void divide(const Call& call) {
  const float* const in[] = {operand<float>(call, 0), operand<float>(call, 1)};
  float* const out[] = {operand<float>(call, 2)};
  mapVectors(call, size(call, 0), in, out, [](const F* x, F* y) { y[0] = div(x[0], x[1]); });
}

/// divide_backward_f32. Operands a, divisor, dy, da, ddivisor; numbers C.
void divideBackward(const Call& call) {
  const auto* a = operand<float>(call, 0);
  const auto* divisor = operand<float>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* da = operand<float>(call, 3);
  auto* ddivisor = operand<float>(call, 4);
  for (size_t c = 0; c < size(call, 0); c++) {
    const double quotient = static_cast<double>(dy[c]) / divisor[c];
    if (da != nullptr) da[c] = static_cast<float>(da[c] + quotient);
    if (ddivisor != nullptr) ddivisor[c] = static_cast<float>(ddivisor[c] - quotient * a[c] / divisor[c]);
  }
}
