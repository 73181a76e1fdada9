// Float matrix products: Y = A B, A [M, K] by rows, B either [K, N] by rows or its transpose [N, K]. One thread; callers
// split the columns. Sums are float32, in the order of k, K_BLOCK of them at a time.

constexpr size_t TILE_COLUMNS = TILE_VECTORS * LANES;
constexpr size_t K_BLOCK = 256;
/// Floats of scratch that `multiply` needs.
constexpr size_t PANEL = K_BLOCK * TILE_COLUMNS;
/// Rows up to which A is too short to pay for packing a transposed B.
constexpr size_t FEW_ROWS = 3;

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
    float row[TILE_COLUMNS];
    for (int v = 0; v < TILE_VECTORS; v++) store(row + v * LANES, sums[m][v]);
    float* to = y + m * ldy;
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
void tiles(const float* a, size_t lda, const float* panel, size_t stride, size_t K, float* y, size_t ldy, size_t M,
           size_t columns, bool add_) {
  for (size_t m = 0; m < M; m += TILE_ROWS) {
    const size_t rows = smallerSize(TILE_ROWS, M - m);
    tileOf<TILE_ROWS>(rows)(a + m * lda, lda, panel, stride, K, y + m * ldy, ldy, columns, add_);
  }
}

/// The dot products of ROWS rows of A with row after row of a transposed B.
template <size_t ROWS>
void dotRows(const float* a, size_t lda, const float* b, size_t ldb, float* y, size_t ldy, size_t N, size_t K) {
  for (size_t n = 0; n < N; n++, b += ldb) {
    F even[ROWS], odd[ROWS];
    for (size_t m = 0; m < ROWS; m++) even[m] = odd[m] = broadcast(0);
    size_t k = 0;
    for (; k + 2 * LANES <= K; k += 2 * LANES) {
      for (size_t m = 0; m < ROWS; m++) {
        even[m] = mulAdd(load(a + m * lda + k), load(b + k), even[m]);
        odd[m] = mulAdd(load(a + m * lda + k + LANES), load(b + k + LANES), odd[m]);
      }
    }
    for (size_t m = 0; m < ROWS; m++) {
      float sum = sumOf(add(even[m], odd[m]));
      for (size_t i = k; i < K; i++) sum += a[m * lda + i] * b[i];
      y[m * ldy + n] = sum;
    }
  }
}

// GCC would store a transposed panel by AVX-512 scatters, which are slower than single stores.
NO_VECTORS
void packTransposed(const float* b, size_t ldb, size_t K, size_t columns, float* panel) {
  for (size_t k0 = 0; k0 < K; k0 += 16) {
    const size_t end = smallerSize(K, k0 + 16);
    for (size_t n = 0; n < columns; n++) {
      for (size_t k = k0; k < end; k++) panel[k * TILE_COLUMNS + n] = b[n * ldb + k];
    }
  }
}

/// panel[k][n] = B(k, n) for `columns` columns, the rest of TILE_COLUMNS zero. B is read along its rows.
void packPanel(const float* b, size_t ldb, bool transposed, size_t K, size_t columns, float* panel) {
  if (columns < TILE_COLUMNS) std::memset(panel, 0, K * TILE_COLUMNS * sizeof(float));
  if (transposed) return packTransposed(b, ldb, K, columns, panel);
  for (size_t k = 0; k < K; k++) std::memcpy(panel + k * TILE_COLUMNS, b + k * ldb, columns * sizeof(float));
}

/// Y = A B. `panel` is scratch of PANEL floats.
void multiply(const float* a, size_t lda, const float* b, size_t ldb, bool transposed, float* y, size_t ldy, size_t M,
              size_t N, size_t K, float* panel) {
  if (transposed && M <= FEW_ROWS) {
    if (M == 1) dotRows<1>(a, lda, b, ldb, y, ldy, N, K);
    if (M == 2) dotRows<2>(a, lda, b, ldb, y, ldy, N, K);
    if (M == 3) dotRows<3>(a, lda, b, ldb, y, ldy, N, K);
    return;
  }
  for (size_t n = 0; n < N; n += TILE_COLUMNS) {
    const size_t columns = smallerSize(TILE_COLUMNS, N - n);
    for (size_t k = 0; k == 0 || k < K; k += K_BLOCK) {
      const size_t depth = smallerSize(K_BLOCK, K - k);
      const float* from = transposed ? b + n * ldb + k : b + k * ldb + n;
      // A panel that is read once needs no copy.
      const bool direct = !transposed && columns == TILE_COLUMNS && M <= TILE_ROWS;
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

/// `multiply` on all threads: pieces of columns, and of rows where columns are few.
void multiplyAll(const Call& call, const float* a, const float* b, size_t ldb, bool transposed, float* y, size_t M,
                 size_t N, size_t K) {
  const unsigned threads = threadCount(call);
  const bool few = transposed && M <= FEW_ROWS;
  const size_t width = few ? 16 * rowGrain(K) : 2 * TILE_COLUMNS;
  const size_t columnPieces = divideUp(N, width);
  const size_t rowPieces = few || columnPieces >= 4 * threads ? 1 : divideUp(M, 8 * TILE_ROWS);
  const size_t height = divideUp(M, rowPieces == 0 ? 1 : rowPieces);
  float* panels = scratchOf<float>(call, threads * PANEL);
  size_t lda = K;
  if (M > TILE_ROWS) {
    lda = spreadStride(K);
    float* spread = scratchOf<float>(call, M * lda);
    spreadRows(call, a, M, K, spread);
    a = spread;
  }
  parallel(call, columnPieces * rowPieces, [&](size_t item, unsigned thread) {
    const size_t n = item % columnPieces * width;
    const size_t m = item / columnPieces * height;
    if (m >= M) return;
    multiply(a + m * lda, lda, transposed ? b + n * ldb : b + n, ldb, transposed, y + m * N + n, N,
             smallerSize(height, M - m), smallerSize(width, N - n), K, panels + thread * PANEL);
  });
}
