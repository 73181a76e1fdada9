// Cholesky factors in double: block columns from the left, each less what the columns before it have of it.

constexpr size_t DOUBLE_COLUMNS = TILE_VECTORS * DOUBLES;
/// Columns of a block; a multiple of DOUBLE_COLUMNS.
constexpr size_t FACTOR_BLOCK = 128;
/// Rows that a thread takes at a time, and columns of them that stay in its cache.
constexpr size_t FACTOR_ROWS = 96, FACTOR_DEPTH = 256;

/// Y[ROWS, DOUBLE_COLUMNS] = A[ROWS, K] times a panel, or Y less that.
template <int ROWS>
void doubleTile(const double* a, size_t lda, const double* panel, size_t K, double* y, size_t ldy, bool subtract) {
  D sums[ROWS][TILE_VECTORS];
  UNROLL(16)
  for (int m = 0; m < ROWS; m++) {
    for (int v = 0; v < TILE_VECTORS; v++) sums[m][v] = broadcastDouble(0);
  }
  for (size_t k = 0; k < K; k++, panel += DOUBLE_COLUMNS) {
    D b[TILE_VECTORS];
    for (int v = 0; v < TILE_VECTORS; v++) b[v] = loadDoubles(panel + v * DOUBLES);
    UNROLL(16)
    for (int m = 0; m < ROWS; m++) {
      const D x = broadcastDouble(a[m * lda + k]);
      for (int v = 0; v < TILE_VECTORS; v++) sums[m][v] = mulAddDoubles(x, b[v], sums[m][v]);
    }
  }
  UNROLL(16)
  for (int m = 0; m < ROWS; m++) {
    double* to = y + m * ldy;
    for (int v = 0; v < TILE_VECTORS; v++) {
      storeDoubles(to + v * DOUBLES, subtract ? subDoubles(loadDoubles(to + v * DOUBLES), sums[m][v]) : sums[m][v]);
    }
  }
}

using DoubleTile = void (*)(const double*, size_t, const double*, size_t, double*, size_t, bool);
template <int ROWS>
DoubleTile doubleTileOf(size_t rows) {
  if constexpr (ROWS == 1) return doubleTile<1>;
  else return rows == ROWS ? doubleTile<ROWS> : doubleTileOf<ROWS - 1>(rows);
}

/// The panels of B^T, B [FACTOR_BLOCK, K] by rows: panel p holds its columns p DOUBLE_COLUMNS and on, [K, DOUBLE_COLUMNS].
void packDoublePanels(const Call& call, const double* b, size_t ldb, size_t K, double* panels) {
  parallel(call, FACTOR_BLOCK / DOUBLE_COLUMNS, [&](size_t p, unsigned) {
    double* to = panels + p * K * DOUBLE_COLUMNS;
    for (size_t k = 0; k < K; k++) {
      for (size_t v = 0; v < DOUBLE_COLUMNS; v++) to[k * DOUBLE_COLUMNS + v] = b[(p * DOUBLE_COLUMNS + v) * ldb + k];
    }
  });
}

/// Y[rows, FACTOR_BLOCK] = A[rows, K] times panels, or Y less that. One thread.
void multiplyDoublePanels(const double* a, size_t lda, const double* panels, size_t K, double* y, size_t ldy,
                          size_t rows, bool subtract) {
  for (size_t k = 0; k < K; k += FACTOR_DEPTH) {
    const size_t depth = smallerSize(FACTOR_DEPTH, K - k);
    for (size_t p = 0; p < FACTOR_BLOCK / DOUBLE_COLUMNS; p++) {
      const double* panel = panels + (p * K + k) * DOUBLE_COLUMNS;
      for (size_t m = 0; m < rows; m += TILE_ROWS) {
        doubleTileOf<TILE_ROWS>(smallerSize(TILE_ROWS, rows - m))(a + m * lda + k, lda, panel, depth,
                                                                  y + m * ldy + p * DOUBLE_COLUMNS, ldy, subtract);
      }
    }
  }
}

/// Factors a diagonal block in place and writes the inverse of its factor; `whole` is its diagonal before any column was
/// taken off. Returns the first row whose pivot is too small, or FACTOR_BLOCK.
size_t factorBlock(double* a, size_t lda, const double* whole, double* inverse) {
  constexpr double SMALLEST_PIVOT = 1e-7;
  for (size_t j = 0; j < FACTOR_BLOCK; j++) {
    for (size_t i = j; i < FACTOR_BLOCK; i++) {
      double sum = a[i * lda + j];
      for (size_t k = 0; k < j; k++) sum -= a[i * lda + k] * a[j * lda + k];
      if (i == j) {
        if (!(sum > SMALLEST_PIVOT * whole[j])) return j;
        a[j * lda + j] = std::sqrt(sum);
      } else {
        a[i * lda + j] = sum / a[j * lda + j];
      }
    }
  }
  std::memset(inverse, 0, FACTOR_BLOCK * FACTOR_BLOCK * sizeof(double));
  for (size_t i = 0; i < FACTOR_BLOCK; i++) {  // row i from the rows above it
    double* row = inverse + i * FACTOR_BLOCK;
    row[i] = 1;
    for (size_t k = 0; k < i; k++) {
      const double value = a[i * lda + k];
      for (size_t j = 0; j <= k; j++) row[j] -= value * inverse[k * FACTOR_BLOCK + j];
    }
    for (size_t j = 0; j <= i; j++) row[j] /= a[i * lda + i];
  }
  return FACTOR_BLOCK;
}

/// Factors `a` [size, size] in place into L L^T, size a multiple of FACTOR_BLOCK. Returns the first row whose pivot is too
/// small, or `size`.
size_t factorLower(const Call& call, double* a, size_t lda, size_t size_, const double* whole) {
  auto* panels = scratchOf<double>(call, size_ * FACTOR_BLOCK);
  auto* inverse = scratchOf<double>(call, FACTOR_BLOCK * FACTOR_BLOCK);
  auto* inversePanels = scratchOf<double>(call, FACTOR_BLOCK * FACTOR_BLOCK);
  auto* copies = scratchOf<double>(call, threadCount(call) * FACTOR_ROWS * FACTOR_BLOCK);
  for (size_t at = 0; at < size_; at += FACTOR_BLOCK) {
    const auto rowsFrom = [&](size_t first, const auto& body) {
      parallel(call, divideUp(size_ - first, FACTOR_ROWS), [&](size_t item, unsigned thread) {
        const size_t row = first + item * FACTOR_ROWS;
        body(a + row * lda, smallerSize(FACTOR_ROWS, size_ - row), thread);
      });
    };
    packDoublePanels(call, a + at * lda, lda, at, panels);
    rowsFrom(at, [&](double* rows, size_t count, unsigned) {
      multiplyDoublePanels(rows, lda, panels, at, rows + at, lda, count, true);
    });
    const size_t done = factorBlock(a + at * lda + at, lda, whole + at, inverse);
    if (done < FACTOR_BLOCK) return at + done;
    packDoublePanels(call, inverse, FACTOR_BLOCK, FACTOR_BLOCK, inversePanels);
    rowsFrom(at + FACTOR_BLOCK, [&](double* rows, size_t count, unsigned thread) {
      double* copy = copies + thread * FACTOR_ROWS * FACTOR_BLOCK;
      for (size_t r = 0; r < count; r++) {
        std::memcpy(copy + r * FACTOR_BLOCK, rows + r * lda + at, FACTOR_BLOCK * sizeof(double));
      }
      multiplyDoublePanels(copy, FACTOR_BLOCK, inversePanels, FACTOR_BLOCK, rows + at, lda, count, false);
    });
  }
  return size_;
}

/// cholesky_f32: factor factor^T = hessian + diag(damping), upper triangular: L L^T of the matrix in reverse order, to which
/// rows of an identity are added up to whole blocks. Operands hessian, damping, factor, pivot; numbers C.
void cholesky(const Call& call) {
  const auto* hessian = operand<float>(call, 0);
  const auto* damping = operand<float>(call, 1);
  auto* factor = operand<float>(call, 2);
  auto* pivot = operand<int32_t>(call, 3);
  const size_t C = size(call, 0), padded = roundUp(C, FACTOR_BLOCK), lda = padded + 8;
  auto* a = scratchOf<double>(call, padded * lda);
  auto* whole = scratchOf<double>(call, padded);
  parallelRanges(call, padded, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
      double* row = a + i * lda;
      std::memset(row, 0, padded * sizeof(double));
      whole[i] = i < C ? static_cast<double>(hessian[(C - 1 - i) * C + C - 1 - i]) + damping[C - 1 - i] : 1;
      if (i < C) {
        const float* source = hessian + (C - 1 - i) * C + C - 1;
        for (size_t j = 0; j < i; j++) row[j] = source[-static_cast<ptrdiff_t>(j)];
      }
      row[i] = whole[i];
    }
  });
  const size_t done = factorLower(call, a, lda, padded, whole);
  *pivot = done < C ? static_cast<int32_t>(C - 1 - done) : -1;
  parallelRanges(call, C, rowGrain(C), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
      const double* source = a + (C - 1 - i) * lda;
      float* row = factor + i * C;
      for (size_t j = 0; j < C; j++) {
        row[j] = j < i || *pivot >= 0 ? 0.0F : static_cast<float>(source[C - 1 - j]);
      }
    }
  });
}
