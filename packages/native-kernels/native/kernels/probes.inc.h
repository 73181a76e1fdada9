// What the machine can do at most with this instruction set: rates that kernels are held against.

/// Accumulators of a probe: enough to hide the latency of an instruction, and few enough to stay in registers.
constexpr int PROBE_ROWS = 4;
constexpr int PROBE_VECTORS = LANES == 8 || LANES == 1 ? 2 : 4;
/// Bytes of the operand of the arithmetic probes, inside the first cache.
constexpr size_t PROBE_BYTES = 8192;
/// Pieces a thread: enough that one which is held up does not hold up the others.
constexpr size_t PROBE_PIECES = 16;
/// Sums that a piece writes at most.
constexpr size_t PROBE_SUMS = 256;
constexpr size_t READ_STEP = 256, READ_AHEAD = 2048;

/// probe_read. Operands buffer, sums [256 floats for each piece]; numbers bytes, a multiple of 4096 * threads.
/// Every byte of the buffer is read once; what is read is added up, so that no read can be left out.
void probeRead(const Call& call) {
  const auto* buffer = operand<uint8_t>(call, 0);
  const size_t pieces = PROBE_PIECES * threadCount(call), bytes = size(call, 0) / pieces;
  parallel(call, pieces, [&](size_t item, unsigned) {
    constexpr size_t VECTORS = READ_STEP / sizeof(float) / LANES;
    const uint8_t* from = buffer + item * bytes;
    F sums[VECTORS];
    for (size_t v = 0; v < VECTORS; v++) sums[v] = broadcast(0);
    for (size_t i = 0; i < bytes; i += READ_STEP) {
      for (size_t line = 0; line < READ_STEP; line += 64) PREFETCH(from + i + READ_AHEAD + line);
      const auto* p = reinterpret_cast<const float*>(from + i);
      for (size_t v = 0; v < VECTORS; v++) sums[v] = add(sums[v], load(p + v * LANES));
    }
    for (size_t v = 0; v < VECTORS; v++) store(operand<float>(call, 1) + item * PROBE_SUMS + v * LANES, sums[v]);
  });
}

/// Steps of a probe that does `operations` in all, of which each lane of an instruction does `each`.
inline size_t probeSteps(const Call& call, size_t each) {
  return size(call, 0) / (PROBE_PIECES * threadCount(call) * PROBE_ROWS * PROBE_VECTORS * LANES * each);
}

/// probe_int8. Operands values [PROBE_BYTES], sums [256 int32 for each piece]; numbers operations.
/// The operations of `dot` on operands in registers and in the first cache; a product and a sum are two.
void probeInt8(const Call& call) {
  const auto* values = operand<uint8_t>(call, 0);
  const size_t steps = probeSteps(call, 8);
  parallel(call, PROBE_PIECES * threadCount(call), [&](size_t item, unsigned) {
    constexpr size_t BYTES = PROBE_VECTORS * LANES * 4;
    I codes[PROBE_ROWS], sums[PROBE_ROWS][PROBE_VECTORS];
    for (int m = 0; m < PROBE_ROWS; m++) {
      codes[m] = loadBytes(values + m * LANES * 4);
      for (int v = 0; v < PROBE_VECTORS; v++) sums[m][v] = zeros();
    }
    for (size_t i = 0, at = 0; i < steps; i++, at = (at + BYTES) % PROBE_BYTES) {
      for (int v = 0; v < PROBE_VECTORS; v++) {
        const I weights = loadBytes(values + at + v * LANES * 4);
        for (int m = 0; m < PROBE_ROWS; m++) sums[m][v] = dot<true>(sums[m][v], codes[m], weights);
      }
    }
    auto* out = operand<int32_t>(call, 1) + item * PROBE_SUMS;
    for (int m = 0; m < PROBE_ROWS; m++) {
      for (int v = 0; v < PROBE_VECTORS; v++) storeSums(out + (m * PROBE_VECTORS + v) * LANES, sums[m][v]);
    }
  });
}

/// probe_f32. As probe_int8, the operations of `mulAdd`; sums are float.
void probeF32(const Call& call) {
  const auto* values = operand<float>(call, 0);
  const size_t steps = probeSteps(call, 2);
  parallel(call, PROBE_PIECES * threadCount(call), [&](size_t item, unsigned) {
    constexpr size_t COUNT = PROBE_VECTORS * LANES;
    F factors[PROBE_ROWS], sums[PROBE_ROWS][PROBE_VECTORS];
    for (int m = 0; m < PROBE_ROWS; m++) {
      factors[m] = load(values + m * LANES);
      for (int v = 0; v < PROBE_VECTORS; v++) sums[m][v] = broadcast(0);
    }
    for (size_t i = 0, at = 0; i < steps; i++, at = (at + COUNT) % (PROBE_BYTES / sizeof(float))) {
      for (int v = 0; v < PROBE_VECTORS; v++) {
        const F column = load(values + at + v * LANES);
        for (int m = 0; m < PROBE_ROWS; m++) sums[m][v] = mulAdd(factors[m], column, sums[m][v]);
      }
    }
    auto* out = operand<float>(call, 1) + item * PROBE_SUMS;
    for (int m = 0; m < PROBE_ROWS; m++) {
      for (int v = 0; v < PROBE_VECTORS; v++) store(out + (m * PROBE_VECTORS + v) * LANES, sums[m][v]);
    }
  });
}
