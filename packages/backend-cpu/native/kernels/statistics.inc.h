// Running statistics over the rows of a tensor, column by column. Sums of one call are taken in double.

constexpr size_t COLUMNS = 64;

/// column_absmax_f32: largest[c] = max(largest[c], max_n |x[n,c]|). Operands x, largest; numbers N, C.
void columnAbsmax(const Call& call) {
  const auto* x = operand<float>(call, 0);
  auto* largest = operand<float>(call, 1);
  const size_t N = size(call, 0), C = size(call, 1);
  parallelRanges(call, C, COLUMNS, [&](size_t from, size_t to) {
    for (size_t n = 0; n < N; n++) {
      for (size_t c = from; c < to; c++) {
        const float value = std::fabs(x[n * C + c]);
        largest[c] = largest[c] < value ? value : largest[c];
      }
    }
  });
}

/// column_dot_f32: sum[c] += sum_n a[n,c] b[n,c]. Operands a, b, sum; numbers N, C.
void columnDot(const Call& call) {
  const auto* a = operand<float>(call, 0);
  const auto* b = operand<float>(call, 1);
  auto* sum = operand<float>(call, 2);
  const size_t N = size(call, 0), C = size(call, 1);
  parallelRanges(call, C, COLUMNS, [&](size_t from, size_t to) {
    double sums[COLUMNS] = {};
    for (size_t n = 0; n < N; n++) {
      for (size_t c = from; c < to; c++) sums[c - from] += static_cast<double>(a[n * C + c]) * b[n * C + c];
    }
    for (size_t c = from; c < to; c++) sum[c] = static_cast<float>(sum[c] + sums[c - from]);
  });
}
