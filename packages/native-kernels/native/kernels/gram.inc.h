// The product of a matrix with its own transpose.

/// Rows and columns of a piece of the result.
constexpr size_t GRAM_TILE = 256;

/// gram_f32: hessian += x^T x. The pieces on and above the diagonal are computed and added to both halves.
/// Operands x, hessian; numbers N, C.
void gram(const Call& call) {
  const auto* x = operand<float>(call, 0);
  auto* hessian = operand<float>(call, 1);
  const size_t N = size(call, 0), C = size(call, 1), ld = spreadStride(N);
  if (N == 0) return;
  auto* columns = scratchOf<float>(call, C * ld);  // x^T
  parallelRanges(call, C, roundUp(rowGrain(N), LANES), [&](size_t from, size_t to) {
    transpose(x + from, C, N, to - from, columns + from * ld, ld);
  });
  const size_t strips = divideUp(C, GRAM_TILE), floats = PANEL + GRAM_TILE * GRAM_TILE;
  auto* memory = scratchOf<float>(call, threadCount(call) * floats);
  parallel(call, strips * (strips + 1) / 2, [&](size_t item, unsigned thread) {
    size_t i = 0;
    for (; item >= strips - i; i++) item -= strips - i;
    const size_t top = i * GRAM_TILE, left = (i + item) * GRAM_TILE;
    const size_t rows = smallerSize(GRAM_TILE, C - top), width = smallerSize(GRAM_TILE, C - left);
    float *panel = memory + thread * floats, *sums = panel + PANEL;
    multiply(columns + top * ld, ld, x + left, C, false, sums, width, rows, width, N, panel);
    for (size_t r = 0; r < rows; r++) {
      float* to = hessian + (top + r) * C + left;
      for (size_t c = 0; c < width; c++) to[c] += sums[r * width + c];
    }
    if (left == top) return;
    for (size_t c = 0; c < width; c++) {
      float* to = hessian + (left + c) * C + top;
      for (size_t r = 0; r < rows; r++) to[r] += sums[r * width + c];
    }
  });
}
