// Norms in training, and their gradients. Sums are taken in double, in an order that does not depend on
// the number of threads.

/// sum[c] += sum_n term(n, c) where there is a sum.
template <class Term>
void addColumns(const Call& call, size_t N, size_t C, float* sum, const Term& term) {
  if (sum == nullptr) return;
  parallelRanges(call, C, COLUMNS, [&](size_t from, size_t to) {
    double sums[COLUMNS] = {};
    for (size_t n = 0; n < N; n++) {
      for (size_t c = from; c < to; c++) sums[c - from] += term(n, c);
    }
    for (size_t c = from; c < to; c++) sum[c] = static_cast<float>(sum[c] + sums[c - from]);
  });
}

/// rmsnorm_backward_f32. Operands x, weight, dy, dx, dweight; numbers N, C, eps.
void rmsnormBackward(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* weight = operand<float>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* dx = operand<float>(call, 3);
  const size_t N = size(call, 0), C = size(call, 1);
  const double eps = call.numbers[2];
  auto* inverse = scratchOf<double>(call, N);
  parallelRanges(call, N, rowGrain(2 * C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const float *row = x + n * C, *gradient = dy + n * C;
      double squares = 0, along = 0;
      for (size_t c = 0; c < C; c++) {
        const double value = row[c];
        squares += value * value;
        along += gradient[c] * static_cast<double>(weight[c]) * value;
      }
      const double r = 1 / std::sqrt(squares / static_cast<double>(C) + eps);
      const double pull = r * r * along / static_cast<double>(C);
      for (size_t c = 0; c < C; c++) {
        dx[n * C + c] = static_cast<float>(r * (gradient[c] * static_cast<double>(weight[c]) - row[c] * pull));
      }
      inverse[n] = r;
    }
  });
  addColumns(call, N, C, operand<float>(call, 4),
             [&](size_t n, size_t c) { return dy[n * C + c] * (x[n * C + c] * inverse[n]); });
}

/// Mean and 1 / sqrt(variance + eps) of a row.
void rowMoments(const float* row, size_t C, double eps, double* mean, double* inverse) {
  const auto count = static_cast<double>(C);
  double sum = 0, variance = 0;
  for (size_t c = 0; c < C; c++) sum += row[c];
  *mean = sum / count;
  for (size_t c = 0; c < C; c++) variance += (row[c] - *mean) * (row[c] - *mean);
  *inverse = 1 / std::sqrt(variance / count + eps);
}

/// layernorm_f32. Operands x, weight, bias, y; numbers N, C, eps.
void layernorm(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* weight = operand<float>(call, 1);
  const auto* bias = operand<float>(call, 2);
  auto* y = operand<float>(call, 3);
  const size_t N = size(call, 0), C = size(call, 1);
  parallelRanges(call, N, rowGrain(2 * C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      double mean, inverse;
      rowMoments(x + n * C, C, call.numbers[2], &mean, &inverse);
      for (size_t c = 0; c < C; c++) {
        const double value = (x[n * C + c] - mean) * inverse * weight[c];
        y[n * C + c] = static_cast<float>(bias == nullptr ? value : value + bias[c]);
      }
    }
  });
}

/// layernorm_backward_f32. Operands x, weight, dy, dx, dweight, dbias; numbers N, C, eps.
void layernormBackward(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* weight = operand<float>(call, 1);
  const auto* dy = operand<float>(call, 2);
  auto* dx = operand<float>(call, 3);
  const size_t N = size(call, 0), C = size(call, 1);
  auto* means = scratchOf<double>(call, N);
  auto* inverses = scratchOf<double>(call, N);
  parallelRanges(call, N, rowGrain(4 * C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const float *row = x + n * C, *gradient = dy + n * C;
      double mean, r, sum = 0, along = 0;
      rowMoments(row, C, call.numbers[2], &mean, &r);
      for (size_t c = 0; c < C; c++) {
        const double g = gradient[c] * static_cast<double>(weight[c]);
        sum += g;
        along += g * (row[c] - mean) * r;
      }
      sum /= static_cast<double>(C);
      along /= static_cast<double>(C);
      for (size_t c = 0; c < C; c++) {
        const double g = gradient[c] * static_cast<double>(weight[c]);
        dx[n * C + c] = static_cast<float>(r * (g - sum - (row[c] - mean) * r * along));
      }
      means[n] = mean;
      inverses[n] = r;
    }
  });
  addColumns(call, N, C, operand<float>(call, 4),
             [&](size_t n, size_t c) { return dy[n * C + c] * (x[n * C + c] - means[n]) * inverses[n]; });
  addColumns(call, N, C, operand<float>(call, 5),
             [&](size_t n, size_t c) { return static_cast<double>(dy[n * C + c]); });
}
