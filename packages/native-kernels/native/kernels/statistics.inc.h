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

/// kv_saliency_f32. keyScore[h,d] += sum_e (q^T q)[d,e] (k^T k)[d,e]; valueScore[h,d] += sum_n ((P v)[n,d])^2.
/// Operands q, k, v, keyScore, valueScore; numbers of Heads.
void kvSaliency(const Call& call) {
  const Heads heads(call);
  const size_t D = heads.D, H = heads.H, width = heads.width();
  const auto* q = operand<float>(call, 0);
  const auto* k = operand<float>(call, 1);
  auto* keyScore = operand<float>(call, 3);
  auto* valueScore = operand<float>(call, 4);
  auto* context = scratchOf<float>(call, heads.N * H * D);
  attendAll(call, heads, floatSource(heads, q, k, operand<float>(call, 2)), context);
  const size_t doubles = 2 * D * D;
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
    gram(q + h * D, H * D, gramQ);
    gram(k + h * heads.K / H * D, width, gramK);
    for (size_t d = 0; d < D; d++) {
      double score = 0;
      for (size_t e = 0; e < D; e++) score += gramQ[d * D + e] * gramK[d * D + e];
      keyScore[h * D + d] = static_cast<float>(keyScore[h * D + d] + score);
      double squares = 0;
      for (size_t n = 0; n < heads.N; n++) {
        const double value = context[(n * H + h) * D + d];
        squares += value * value;
      }
      valueScore[h * D + d] = static_cast<float>(valueScore[h * D + d] + squares);
    }
  });
}
