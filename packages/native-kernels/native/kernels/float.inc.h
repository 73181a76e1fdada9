// Kernels on float activations.

/// embedding_f32: y[n] = table[ids[n]]. Operands ids, table, y; numbers N, V, C.
void embedding(const Call& call) {
  const auto* ids = operand<int32_t>(call, 0);
  const auto* table = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 0), V = size(call, 1), C = size(call, 2);
  for (size_t n = 0; n < N; n++) {
    if (ids[n] >= 0 && static_cast<size_t>(ids[n]) < V) {
      std::memcpy(y + n * C, table + ids[n] * C, C * sizeof(float));
    } else {
      reportIndex(call, ids[n], static_cast<int64_t>(V));
    }
  }
}

/// add_f32: y = a + b. Operands a, b, y; numbers N C.
void addAll(const Call& call) {
  const auto* a = operand<float>(call, 0);
  const auto* b = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  parallelRanges(call, size(call, 0), rowGrain(0), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) y[i] = a[i] + b[i];
  });
}

/// One row of rmsnorm_f32. The squares are exact in double, and so is their sum but for its last bits.
void normRow(const float* x, const float* weight, size_t C, double eps, float* y) {
  double parts[8] = {};
  size_t c = 0;
  for (; c + 8 <= C; c += 8) {
    for (size_t i = 0; i < 8; i++) parts[i] += static_cast<double>(x[c + i]) * x[c + i];
  }
  double sum = 0;
  for (const double part : parts) sum += part;
  for (; c < C; c++) sum += static_cast<double>(x[c]) * x[c];
  const auto inverse = static_cast<float>(1 / std::sqrt(sum / static_cast<double>(C) + eps));
  for (c = 0; c < C; c++) y[c] = x[c] * inverse * weight[c];
}

/// rmsnorm_f32: y = x / sqrt(mean x^2 + eps) * weight. Operands x, weight, y; numbers N, C, eps.
void rmsnorm(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* weight = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 0), C = size(call, 1);
  const double eps = call.numbers[2];
  parallelRanges(call, N, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) normRow(x + n * C, weight, C, eps, y + n * C);
  });
}

void addBias(const Call& call, float* y, const float* bias, size_t N, size_t O) {
  if (bias == nullptr) return;
  parallelRanges(call, N, rowGrain(O), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      for (size_t o = 0; o < O; o++) y[n * O + o] += bias[o];
    }
  });
}

/// linear_f32: y = x W^T + bias. Operands x, weight, bias, y; numbers N, O, C.
void linear(const Call& call) {
  const size_t N = size(call, 0), O = size(call, 1), C = size(call, 2);
  auto* y = operand<float>(call, 3);
  multiplyRows(call, operand<float>(call, 0), operand<float>(call, 1), C, true, y, N, O, C);
  addBias(call, y, operand<float>(call, 2), N, O);
}

/// matmul_f32: y = a b. Operands a, b, y; numbers N, O, C.
void matmul(const Call& call) {
  const size_t N = size(call, 0), O = size(call, 1), C = size(call, 2);
  multiplyRows(call, operand<float>(call, 0), operand<float>(call, 1), C, false, operand<float>(call, 2), N, C, O);
}

/// matmul_tn_f32: y = a^T b. Operands a, b, y; numbers N, O, C.
void matmulTn(const Call& call) {
  const size_t N = size(call, 0), O = size(call, 1), C = size(call, 2);
  multiplyColumns(call, operand<float>(call, 0), operand<float>(call, 1), operand<float>(call, 2), C, O, N);
}

/// rope_f32: rotates the halves of the first 2 R channels of each head; in double, since the two products may cancel.
/// Operands x, cos, sin, y; numbers N, H, R, position, D.
void rope(const Call& call) {
  const auto* x = operand<float>(call, 0);
  const auto* cosines = operand<float>(call, 1);
  const auto* sines = operand<float>(call, 2);
  auto* y = operand<float>(call, 3);
  const size_t N = size(call, 0), H = size(call, 1), R = size(call, 2), position = size(call, 3), D = size(call, 4);
  parallelRanges(call, N, rowGrain(H * D), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      const float* c = cosines + (position + n) * R;
      const float* s = sines + (position + n) * R;
      for (size_t h = 0; h < H; h++) {
        const float* a = x + (n * H + h) * D;
        float* to_ = y + (n * H + h) * D;
        for (size_t i = 0; i < R; i++) {
          const double left = a[i], right = a[i + R], cosine = c[i], sine = s[i];
          to_[i] = static_cast<float>(left * cosine - right * sine);
          to_[i + R] = static_cast<float>(right * cosine + left * sine);
        }
        if (D > 2 * R) std::memcpy(to_ + 2 * R, a + 2 * R, (D - 2 * R) * sizeof(float));
      }
    }
  });
}

/// cross_entropy_f32: y[n] = log sum_v exp logits[n,v] - logits[n, targets[n]].
/// Operands logits, targets, y; numbers N, V.
void crossEntropy(const Call& call) {
  const auto* logits = operand<float>(call, 0);
  const auto* targets = operand<int32_t>(call, 1);
  auto* y = operand<float>(call, 2);
  const size_t N = size(call, 0), V = size(call, 1);
  parallelRanges(call, N, rowGrain(4 * V), [&](size_t from, size_t to) {
    for (size_t n = from; n < to; n++) {
      if (targets[n] < 0 || static_cast<size_t>(targets[n]) >= V) {
        reportIndex(call, targets[n], static_cast<int64_t>(V));
        continue;
      }
      const float* row = logits + n * V;
      F most = broadcast(row[0]);
      size_t v = 0;
      for (; v + LANES <= V; v += LANES) most = larger(load(row + v), most);
      float largest = largestOf(most);
      for (; v < V; v++) largest = row[v] > largest ? row[v] : largest;
      double sum = 0;
      v = 0;
      // Float sums of 64 vectors at most, so that a large vocabulary costs no precision.
      while (v + LANES <= V) {
        const size_t stop = smallerSize(V, v + 64 * LANES);
        F part = broadcast(0);
        for (; v + LANES <= stop; v += LANES) part = add(part, expOf(sub(load(row + v), broadcast(largest))));
        sum += sumOf(part);
      }
      for (; v < V; v++) sum += std::exp(static_cast<double>(row[v]) - largest);
      y[n] = static_cast<float>(std::log(sum) + largest - row[targets[n]]);
    }
  });
}
