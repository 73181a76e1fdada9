// Matrices that are read by rows as they are stored, in half precision or in bytes: an embedding and a head can share one
// copy, and one token reads no more than their bytes.

/// Rows of half-precision numbers.
struct HalfRows {
  const uint16_t* numbers;
  size_t C;

  struct Row {
    const uint16_t* numbers;
    F at(size_t c) const { return loadHalf(numbers + c); }
    float scale() const { return 1; }
  };
  Row row(size_t o) const { return {numbers + o * C}; }
};

/// Rows of bytes with a scale and a zero point each. `at` is without the scale.
struct ByteRows {
  const uint8_t* codes;
  const float* scales;
  const int32_t* zeros;
  size_t C;

  struct Row {
    const uint8_t* codes;
    F zero;
    float scale_;
    F at(size_t c) const { return sub(loadWhole(codes + c), zero); }
    float scale() const { return scale_; }
  };
  Row row(size_t o) const { return {codes + o * C, broadcast(static_cast<float>(zeros[o])), scales[o]}; }
};

/// to[c] = row[from + c] without its scale.
template <class Row>
inline void widenRow(const Row& row, size_t from, size_t count, float* to) {
  size_t c = 0;
  for (; c + LANES <= count; c += LANES) store(to + c, row.at(from + c));
  if (c == count) return;
  float rest[LANES];
  store(rest, row.at(from + c));
  std::memcpy(to + c, rest, (count - c) * sizeof(float));
}

/// The dot products of M rows of x with one row: one stream of memory.
template <size_t M, class Row>
inline void dotRow(const float* x, size_t C, const Row& row, float* sums) {
  F even[M], odd[M];
  for (size_t m = 0; m < M; m++) even[m] = odd[m] = broadcast(0);
  size_t c = 0;
  for (; c + 2 * LANES <= C; c += 2 * LANES) {
    const F a = row.at(c), b = row.at(c + LANES);
    for (size_t m = 0; m < M; m++) {
      even[m] = mulAdd(load(x + m * C + c), a, even[m]);
      odd[m] = mulAdd(load(x + m * C + c + LANES), b, odd[m]);
    }
  }
  float rest[2 * LANES];
  widenRow(row, c, C - c, rest);
  for (size_t m = 0; m < M; m++) {
    sums[m] = sumOf(add(even[m], odd[m]));
    for (size_t i = c; i < C; i++) sums[m] += x[m * C + i] * rest[i - c];
  }
}

/// y[m,o] = x[m] . row o + bias[o]. Every thread reads long pieces, one after the other.
template <size_t M, class Rows>
void fewTokens(const Call& call, const float* x, const Rows& rows, const float* bias, float* y, size_t O) {
  parallelStreams(call, O, 4 * rowGrain(rows.C), [&](size_t from, size_t to) {
    for (size_t o = from; o < to; o++) {
      const auto row = rows.row(o);
      float sums[M];
      dotRow<M>(x, rows.C, row, sums);
      for (size_t m = 0; m < M; m++) y[m * O + o] = sums[m] * row.scale() + (bias == nullptr ? 0 : bias[o]);
    }
  });
}

/// The same for many tokens: columns are widened into panels, a tile at a time.
template <class Rows>
void manyTokens(const Call& call, const float* x, const Rows& rows, const float* bias, float* y, size_t N, size_t O) {
  const size_t C = rows.C, stride = spreadStride(C);
  auto* spread = scratchOf<float>(call, N * stride);
  auto* panels = scratchOf<float>(call, threadCount(call) * 2 * PANEL);
  spreadRows(call, x, N, C, spread);
  parallel(call, divideUp(O, TILE_COLUMNS), [&](size_t item, unsigned thread) {
    float* wide = panels + thread * 2 * PANEL;
    float* panel = wide + PANEL;
    const size_t first = item * TILE_COLUMNS, columns = smallerSize(TILE_COLUMNS, O - first);
    for (size_t k = 0; k == 0 || k < C; k += K_BLOCK) {
      const size_t depth = smallerSize(K_BLOCK, C - k);
      for (size_t o = 0; o < columns; o++) widenRow(rows.row(first + o), k, depth, wide + o * K_BLOCK);
      packPanel(wide, K_BLOCK, true, depth, columns, panel);
      tiles(spread + k, stride, panel, TILE_COLUMNS, depth, y + first, O, N, columns, k > 0);
    }
    for (size_t o = first; o < first + columns; o++) {
      const float scale = rows.row(o).scale(), added = bias == nullptr ? 0 : bias[o];
      for (size_t n = 0; n < N; n++) y[n * O + o] = y[n * O + o] * scale + added;
    }
  });
}

template <class Rows>
void linearRows(const Call& call, const float* x, const Rows& rows, const float* bias, float* y, size_t N, size_t O) {
  if (N == 1) return fewTokens<1>(call, x, rows, bias, y, O);
  if (N == 2) return fewTokens<2>(call, x, rows, bias, y, O);
  if (N == 3) return fewTokens<3>(call, x, rows, bias, y, O);
  manyTokens(call, x, rows, bias, y, N, O);
}

/// linear_half_f32: y = x W^T + bias. Operands x, weight, bias, y; numbers N, O, C.
void linearHalf(const Call& call) {
  const HalfRows rows{operand<uint16_t>(call, 1), size(call, 2)};
  linearRows(call, operand<float>(call, 0), rows, operand<float>(call, 2), operand<float>(call, 3), size(call, 0),
             size(call, 1));
}

/// linear_packed_f32 of 8 bits. Operands x, weight, weightScale, weightZero, bias, y; numbers N, O, C.
void linearBytes(const Call& call) {
  const ByteRows rows{operand<uint8_t>(call, 1), operand<float>(call, 2), operand<int32_t>(call, 3), size(call, 2)};
  linearRows(call, operand<float>(call, 0), rows, operand<float>(call, 4), operand<float>(call, 5), size(call, 0),
             size(call, 1));
}

/// body(id, n) for each id of a table of V rows; others are reported.
template <class F_>
void forEachId(const Call& call, const int32_t* ids, size_t N, size_t V, const F_& body) {
  for (size_t n = 0; n < N; n++) {
    if (ids[n] >= 0 && static_cast<size_t>(ids[n]) < V) body(static_cast<size_t>(ids[n]), n);
    else reportIndex(call, ids[n], static_cast<int64_t>(V));
  }
}

/// embedding_half_f32: y[n] = table[ids[n]]. Operands ids, table, y; numbers N, V, C.
void embeddingHalf(const Call& call) {
  const HalfRows rows{operand<uint16_t>(call, 1), size(call, 2)};
  auto* y = operand<float>(call, 2);
  forEachId(call, operand<int32_t>(call, 0), size(call, 0), size(call, 1),
            [&](size_t id, size_t n) { widenRow(rows.row(id), 0, rows.C, y + n * rows.C); });
}

/// embedding_packed_f32: y[n] = (w - zero) scale of row ids[n].
/// Operands ids, weight, weightScale, weightZero, y; numbers N, V, C, weightBits.
void embeddingPacked(const Call& call) {
  const auto* weight = operand<uint8_t>(call, 1);
  const auto* scale = operand<float>(call, 2);
  const auto* zero = operand<int32_t>(call, 3);
  auto* y = operand<float>(call, 4);
  const size_t C = size(call, 2);
  const int bits = static_cast<int>(call.numbers[3]);
  const size_t rowBytes = divideUp(C * static_cast<size_t>(bits), 8);
  auto* codes = scratchOf<uint8_t>(call, roundUp(C, 64));
  forEachId(call, operand<int32_t>(call, 0), size(call, 0), size(call, 1), [&](size_t id, size_t n) {
    unpackRow(weight + id * rowBytes, C, bits, codes);
    for (size_t c = 0; c < C; c++) y[n * C + c] = static_cast<float>(codes[c] - zero[id]) * scale[id];
  });
}
