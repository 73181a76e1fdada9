// The rotation that spreads outliers over all channels.

/// hadamard_f32: y = x T, T the Walsh-Hadamard matrix of the power of two in C times the Hartley matrix of the odd rest m.
/// Operands x, y; numbers N, C.
void hadamard(const Call& call) {
  const auto* x = operand<float>(call, 0);
  auto* y = operand<float>(call, 1);
  const size_t N = size(call, 0), C = size(call, 1), m = C / (C & (~C + 1));
  const double scale = 1 / std::sqrt(static_cast<double>(C)), turn = 2 * 3.14159265358979323846 / static_cast<double>(m);
  // Row j holds cas(2 pi i j / m) for all i; m values in all.
  auto* cas = scratchOf<float>(call, m);
  for (size_t i = 0; i < m; i++) {
    const double angle = turn * static_cast<double>(i);
    cas[i] = static_cast<float>(scale * (std::cos(angle) + std::sin(angle)));
  }
  auto* hartley = scratchOf<float>(call, m * m);
  for (size_t j = 0; j < m; j++) {
    for (size_t i = 0; i < m; i++) hartley[j * m + i] = cas[i * j % m];
  }
  auto* rows = scratchOf<float>(call, threadCount(call) * C);
  parallel(call, N, [&](size_t n, unsigned thread) {
    float* row = rows + thread * C;
    float* to = y + n * C;
    std::memcpy(row, x + n * C, C * sizeof(float));
    for (size_t half = m; half < C; half *= 2) {
      for (size_t block = 0; block < C; block += 2 * half) {
        float *a = row + block, *b = a + half;
        size_t i = 0;
        for (; i + LANES <= half; i += LANES) {
          const F left = load(a + i), right = load(b + i);
          store(a + i, add(left, right));
          store(b + i, sub(left, right));
        }
        for (; i < half; i++) {
          const float left = a[i], right = b[i];
          a[i] = left + right;
          b[i] = left - right;
        }
      }
    }
    for (size_t from = 0; from < C; from += m) {
      for (size_t i = 0; i < m; i++) to[from + i] = 0;
      for (size_t j = 0; j < m; j++) {
        const float value = row[from + j];
        for (size_t i = 0; i < m; i++) to[from + i] += value * hartley[j * m + i];
      }
    }
  });
}
