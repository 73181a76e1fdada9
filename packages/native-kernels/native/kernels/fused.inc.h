// Linears that share the codes of their input, with the norm before them and a gate or a residual stream after them: the
// codes are written once, as the products read them, and one pass over the panels of all linears follows.

/// What pack_gif_linears writes: the order of pack_order, then each linear as pack_linear_codes has it.
struct GifLinears {
  static constexpr size_t MOST = 3;
  size_t count, C, S, bytes;
  double numbers[MOST][4 + 8];  // of pack_linear_codes
  size_t at[MOST];              // where each begins
  const double* gif;

  /// Numbers: how many linears, O of each, C, weightBits, S, then the GIF format.
  explicit GifLinears(const double* given) : count(static_cast<size_t>(given[0])) {
    const double* shared = given + 1 + count;
    C = static_cast<size_t>(shared[0]);
    S = static_cast<size_t>(shared[2]);
    gif = shared + 3;
    bytes = roundUp((C + S) * sizeof(int32_t), 64);
    for (size_t i = 0; i < count; i++) {
      numbers[i][0] = given[1 + i];
      for (size_t j = 0; j < 3 + 3 + S; j++) numbers[i][1 + j] = shared[j];
      at[i] = bytes;
      bytes += roundUp(linearCodesLayout(numbers[i]).bytes, 64);
    }
  }
  /// The numbers that follow the GIF format.
  const double* rest() const { return gif + 3 + S; }
};

/// pack_gif_linears. Operands steps, then weight, weightScale, weightZero, bias of each linear, packed (zeros before).
size_t gifLinearsBytes(const double* numbers) { return GifLinears(numbers).bytes; }
void packGifLinears(const Call& call) {
  const GifLinears linears(call.numbers);
  auto* base = operand<uint8_t>(call, static_cast<int>(1 + 4 * linears.count));
  void* orderOperands[] = {call.operands[0], base};
  double orderNumbers[9] = {static_cast<double>(linears.C)};
  for (size_t i = 0; i < 3 + linears.S; i++) orderNumbers[1 + i] = linears.gif[i];
  packOrder(Call{orderOperands, orderNumbers, call.device, call.kernel});
  for (size_t i = 0; i < linears.count; i++) {
    void* const* own = call.operands + 1 + 4 * i;
    void* operands[] = {call.operands[0], own[0], own[1], own[2], own[3], base + linears.at[i]};
    packLinearCodes(Call{operands, linears.numbers[i], call.device, call.kernel});
  }
}

/// What linears read.
struct Coded {
  CodePlanes planes;
  float* scale;
  int32_t* zero;
};

/// Codes of x [N, C], or of its norm where there is a `norm` [C].
template <class Code>
Coded encodeTokens(const Call& call, const float* x, const float* norm, double eps, size_t N, const int32_t* order,
                   const Gif& gif, const PackedCodes& packed) {
  const size_t C = packed.layout.C, S = gif.S, grain = rowGrain(2 * C), room = roundUp(C, 16);
  const Coded coded{newPlanes(call, N, packed, sizeof(Code) > 1), scratchOf<float>(call, N * S),
                    scratchOf<int32_t>(call, N * S)};
  auto* normedRows = scratchOf<float>(call, threadCount(call) * room);
  auto* codeRows = scratchOf<Code>(call, threadCount(call) * room);
  parallel(call, divideUp(N, grain), [&](size_t item, unsigned thread) {
    float* normed = normedRows + thread * room;
    Code* codes = codeRows + thread * room;
    for (size_t n = item * grain; n < smallerSize(N, (item + 1) * grain); n++) {
      const float* row = x + n * C;
      if (norm != nullptr) normRow(row, norm, C, eps, normed);
      encodeRow(norm == nullptr ? row : normed, order, C, gif, codes, coded.scale + n * S, coded.zero + n * S);
      splitRow(codes, n, packed, coded.planes);
    }
  });
  return coded;
}

/// Operands x, norm or add, packed, then y of each linear, or one y where they are gated; numbers as GifLinears has them,
/// then N, eps and, for a gate, its activation.
void runGifLinears(const Call& call, const float* norm, const float* add, bool gated) {
  const GifLinears linears(call.numbers);
  const Gif gif = readGif(linears.gif);
  const auto N = static_cast<size_t>(linears.rest()[0]);
  const auto* base = operand<uint8_t>(call, 2);
  const auto* order = reinterpret_cast<const int32_t*>(base);
  const auto packed = [&](size_t i) { return PackedCodes(linearCodesLayout(linears.numbers[i]), base + linears.at[i]); };
  const auto encode = gif.wide() ? encodeTokens<uint16_t> : encodeTokens<uint8_t>;
  const Coded coded = encode(call, operand<float>(call, 0), norm, linears.rest()[1], N, order, gif, packed(0));
  const auto linear = [&](size_t i) {
    const size_t own = i < linears.count ? i : 0;
    float* y = operand<float>(call, 3 + static_cast<int>(gated ? 0 : own));
    return CodesCall{packed(own), coded.planes, coded.scale, coded.zero, y, add, N, gif};
  };
  const CodesCall each[GifLinears::MOST] = {linear(0), linear(1), linear(2)};
  const CodesCalls all{each, linears.count, gated ? gateOf(static_cast<size_t>(linears.rest()[2])) : nullptr};
  if (linears.numbers[0][2] <= 7) runCodes<true>(call, all);
  else runCodes<false>(call, all);
}

/// linear_gif_f32. Operands x, add, packed, y; numbers of one linear, as runGifLinears has them.
void linearGif(const Call& call) { runGifLinears(call, nullptr, operand<float>(call, 1), false); }
/// qkv_gif_f32. Operands x, norm, packed, q, k, v; numbers of three linears.
void qkvGif(const Call& call) { runGifLinears(call, operand<float>(call, 1), nullptr, false); }
/// gate_up_gif_f32. Operands x, norm, packed, y; numbers of two linears.
void gateUpGif(const Call& call) { runGifLinears(call, operand<float>(call, 1), nullptr, true); }
