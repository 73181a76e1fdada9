// Float matrix products: Y = A B, A [M, K] by rows, B either [K, N] by rows or its transpose [N, K]. One thread; callers
// split the columns. Sums are float32, in the order of k, K_BLOCK of them at a time.

constexpr size_t TILE_COLUMNS = TILE_VECTORS * LANES;
constexpr size_t K_BLOCK = 256;
/// Floats of scratch that `multiply` needs.
constexpr size_t PANEL = K_BLOCK * TILE_COLUMNS;
/// Rows of a transposed B whose dot products are taken together.
constexpr size_t DOTS = 4;

/// Rows up to which no B is unpacked or packed for them.
constexpr size_t FEW_ROWS = 3;

/// Whether A is too short to pay for packing a transposed B. Adding up the lanes costs little only in long rows.
inline bool isFew(size_t M, size_t K) { return M <= (K < 512 ? FEW_ROWS : TILE_ROWS); }

/// Y[ROWS, columns] (+)= A[ROWS, K] times a panel of TILE_COLUMNS columns whose rows are `stride` apart.
template <int ROWS>
void tile(const float* a, size_t lda, const float* panel, size_t stride, size_t K, float* y, size_t ldy,
          size_t columns, bool add_) {
  F sums[ROWS][TILE_VECTORS];  // in registers, as long as every loop over it is unrolled
  UNROLL(16)
  for (int m = 0; m < ROWS; m++) {
    for (int v = 0; v < TILE_VECTORS; v++) sums[m][v] = broadcast(0);
  }
  for (size_t k = 0; k < K; k++, panel += stride) {
    F b[TILE_VECTORS];
    for (int v = 0; v < TILE_VECTORS; v++) b[v] = load(panel + v * LANES);
    UNROLL(16)
    for (int m = 0; m < ROWS; m++) {
      const F x = broadcast(a[m * lda + k]);
      for (int v = 0; v < TILE_VECTORS; v++) sums[m][v] = mulAdd(x, b[v], sums[m][v]);
    }
  }
  UNROLL(16)
  for (int m = 0; m < ROWS; m++) {
    float* to = y + m * ldy;
    if (columns == TILE_COLUMNS) {
      for (int v = 0; v < TILE_VECTORS; v++) {
        store(to + v * LANES, add_ ? add(load(to + v * LANES), sums[m][v]) : sums[m][v]);
      }
      continue;
    }
    float row[TILE_COLUMNS];
    for (int v = 0; v < TILE_VECTORS; v++) store(row + v * LANES, sums[m][v]);
    for (size_t n = 0; n < columns; n++) to[n] = add_ ? to[n] + row[n] : row[n];
  }
}

using Tile = void (*)(const float*, size_t, const float*, size_t, size_t, float*, size_t, size_t, bool);
template <int ROWS>
Tile tileOf(size_t rows) {
  if constexpr (ROWS == 1) return tile<1>;
  else return rows == ROWS ? tile<ROWS> : tileOf<ROWS - 1>(rows);
}

/// Y (+)= A times one panel.
SHARED void tiles(const float* a, size_t lda, const float* panel, size_t stride, size_t K, float* y, size_t ldy,
                  size_t M, size_t columns, bool add_) {
  for (size_t m = 0; m < M; m += TILE_ROWS) {
    const size_t rows = smallerSize(TILE_ROWS, M - m);
    tileOf<TILE_ROWS>(rows)(a + m * lda, lda, panel, stride, K, y + m * ldy, ldy, columns, add_);
  }
}

/// Y[ROWS, OUTS] = the dot products of rows of A and rows of a transposed B.
template <size_t ROWS, size_t OUTS>
void dots(const float* a, size_t lda, const float* b, size_t ldb, size_t K, float* y, size_t ldy) {
  F sums[ROWS][OUTS];
  for (size_t m = 0; m < ROWS; m++) {
    for (size_t n = 0; n < OUTS; n++) sums[m][n] = broadcast(0);
  }
  size_t k = 0;
  for (; k + LANES <= K; k += LANES) {
    F x[ROWS];
    for (size_t m = 0; m < ROWS; m++) x[m] = load(a + m * lda + k);
    for (size_t n = 0; n < OUTS; n++) {
      const F w = load(b + n * ldb + k);
      for (size_t m = 0; m < ROWS; m++) sums[m][n] = mulAdd(x[m], w, sums[m][n]);
    }
  }
  for (size_t m = 0; m < ROWS; m++) {
    for (size_t n = 0; n < OUTS; n++) {
      float sum = sumOf(sums[m][n]);
      for (size_t i = k; i < K; i++) sum += a[m * lda + i] * b[n * ldb + i];
      y[m * ldy + n] = sum;
    }
  }
}

/// OUTS columns of Y for all rows of A.
template <size_t OUTS>
void dotColumns(const float* a, size_t lda, const float* b, size_t ldb, float* y, size_t ldy, size_t M, size_t K) {
  size_t m = 0;
  for (; m + 2 <= M; m += 2) dots<2, OUTS>(a + m * lda, lda, b, ldb, K, y + m * ldy, ldy);
  if (m < M) dots<1, OUTS>(a + m * lda, lda, b, ldb, K, y + m * ldy, ldy);
}

/// Y = A times a transposed B, for few rows of A: B is read as it lies.
void multiplyFew(const float* a, size_t lda, const float* b, size_t ldb, float* y, size_t ldy, size_t M, size_t N,
                 size_t K) {
  size_t n = 0;
  for (; n + DOTS <= N; n += DOTS) dotColumns<DOTS>(a, lda, b + n * ldb, ldb, y + n, ldy, M, K);
  for (; n < N; n++) dotColumns<1>(a, lda, b + n * ldb, ldb, y + n, ldy, M, K);
}

/// to[k][n] = from[n][k] for n < N, k < K, in vectors as far as they go. Rows of `to` are `toStride` apart.
SHARED void transpose(const float* from, size_t stride, size_t N, size_t K, float* to, size_t toStride) {
  const size_t wholeN = N / LANES * LANES, wholeK = K / LANES * LANES;
  for (size_t n = 0; n < wholeN; n += LANES) {
    for (size_t k = 0; k < wholeK; k += LANES) {
      transposeLanes(from + n * stride + k, stride, to + k * toStride + n, toStride);
    }
  }
  for (size_t k = 0; k < K; k++) {
    for (size_t n = k < wholeK ? wholeN : 0; n < N; n++) to[k * toStride + n] = from[n * stride + k];
  }
}

/// panel[k][n] = B(k, n) for `columns` columns, the rest of TILE_COLUMNS zero. B is read along its rows.
void packPanel(const float* b, size_t ldb, bool transposed, size_t K, size_t columns, float* panel) {
  if (columns < TILE_COLUMNS) std::memset(panel, 0, K * TILE_COLUMNS * sizeof(float));
  if (transposed) return transpose(b, ldb, columns, K, panel, TILE_COLUMNS);
  for (size_t k = 0; k < K; k++, b += ldb) {
    for (size_t n = 0; n < TILE_COLUMNS; n += 16) PREFETCH(b + TILE_COLUMNS + n);  // of the next panel
    std::memcpy(panel + k * TILE_COLUMNS, b, columns * sizeof(float));
  }
}

/// Y = A B. `panel` is scratch of PANEL floats.
void multiply(const float* a, size_t lda, const float* b, size_t ldb, bool transposed, float* y, size_t ldy, size_t M,
              size_t N, size_t K, float* panel) {
  if (transposed && isFew(M, K)) return multiplyFew(a, lda, b, ldb, y, ldy, M, N, K);
  // Rows of B that are read once need no copy, and go a few at a time, so that they are read along their length.
  const bool once = !transposed && M <= TILE_ROWS;
  const size_t block = once ? 16 : K_BLOCK;
  for (size_t k = 0; k == 0 || k < K; k += block) {  // outside, so that its part of A stays in the cache
    const size_t depth = smallerSize(block, K - k);
    for (size_t n = 0; n < N; n += TILE_COLUMNS) {
      const size_t columns = smallerSize(TILE_COLUMNS, N - n);
      const float* from = transposed ? b + n * ldb + k : b + k * ldb + n;
      const bool direct = once && columns == TILE_COLUMNS;
      if (!direct) packPanel(from, ldb, transposed, depth, columns, panel);
      tiles(a + k, lda, direct ? from : panel, direct ? ldb : TILE_COLUMNS, depth, y + n, ldy, M, columns, k > 0);
    }
  }
}

/// A distance between rows at which the rows of a tile do not fall on the same sets of the cache.
inline size_t spreadStride(size_t K) { return roundUp(K, 16) + (roundUp(K, 16) % 32 == 0 ? 16 : 0); }

/// Copies rows to `spreadStride(K)`.
void spreadRows(const Call& call, const float* a, size_t M, size_t K, float* spread) {
  parallelRanges(call, M, rowGrain(K), [&](size_t from, size_t to) {
    for (size_t m = from; m < to; m++) std::memcpy(spread + m * spreadStride(K), a + m * K, K * sizeof(float));
  });
}

/// Columns of a piece of work: enough that threads share them well, few enough that their part of Y stays in the cache.
inline size_t pieceWidth(const Call& call, size_t M, size_t N, size_t K, bool transposed) {
  if (transposed && isFew(M, K)) return roundUp(16 * rowGrain(K), DOTS);
  const size_t tilesOfThread = divideUp(divideUp(N, TILE_COLUMNS), 4 * threadCount(call));
  return (M <= TILE_ROWS ? 4 * tilesOfThread : smallerSize(tilesOfThread, 8)) * TILE_COLUMNS;
}

/// Y = A B on all threads, A by rows `lda` apart.
void multiplyAll(const Call& call, const float* a, size_t lda, const float* b, size_t ldb, bool transposed, float* y,
                 size_t M, size_t N, size_t K) {
  if (M == 0 || N == 0) return;
  const unsigned threads = threadCount(call);
  const size_t width = pieceWidth(call, M, N, K, transposed);
  const size_t columnPieces = divideUp(N, width);
  // Rows whose part of A stays in the cache; fewer where columns are few.
  const size_t rowPieces = divideUp(M, columnPieces >= 4 * threads ? 512 : 48);
  const size_t height = roundUp(divideUp(M, rowPieces), TILE_ROWS);
  float* panels = scratchOf<float>(call, threads * PANEL);
  parallel(call, columnPieces * divideUp(M, height), [&](size_t item, unsigned thread) {
    const size_t n = item % columnPieces * width;
    const size_t m = item / columnPieces * height;
    multiply(a + m * lda, lda, transposed ? b + n * ldb : b + n, ldb, transposed, y + m * N + n, N,
             smallerSize(height, M - m), smallerSize(width, N - n), K, panels + thread * PANEL);
  });
}

/// Y = A B with A [M, K] and B [K, N] or [N, K].
void multiplyRows(const Call& call, const float* a, const float* b, size_t ldb, bool transposed, float* y, size_t M,
                  size_t N, size_t K) {
  size_t lda = K;
  if (M > TILE_ROWS) {
    lda = spreadStride(K);
    float* spread = scratchOf<float>(call, M * lda);
    spreadRows(call, a, M, K, spread);
    a = spread;
  }
  multiplyAll(call, a, lda, b, ldb, transposed, y, M, N, K);
}

/// Y = A^T B with A [K, M] and B [K, N].
void multiplyColumns(const Call& call, const float* a, const float* b, float* y, size_t M, size_t N, size_t K) {
  const size_t lda = spreadStride(K);
  float* rows = scratchOf<float>(call, M * lda);
  parallelRanges(call, M, roundUp(rowGrain(K), LANES), [&](size_t from, size_t to) {
    transpose(a + from, M, K, to - from, rows + from * lda, lda);
  });
  multiplyAll(call, rows, lda, b, N, false, y, M, N, K);
}
