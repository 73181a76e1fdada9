// Rounding in training: spikes of activations, codes of weights, and their straight-through gradients. A group of values
// with one range is staged in a buffer of whole vectors, whose spare lanes hold no numbers.

/// One grid of codes a class of steps; codes less their zero point are whole numbers from low to high.
struct Grids {
  float scale[5], zero[5], low[5], high[5], slope[5];

  /// `slope`: what one more unit of range adds to the scale, 0 where the scale does not follow the range.
  void set(size_t s, float scale_, float zero_, int largest, bool follows) {
    scale[s] = scale_;
    zero[s] = zero_;
    low[s] = -zero_;
    high[s] = static_cast<float>(largest) - zero_;
    slope[s] = follows ? static_cast<float>(1.0 / largest) : 0.0f;
  }
};

/// A staged group: `count` values in `padded` places, and the class of each where there are several.
struct Group {
  float* x;
  float* dy;
  const int32_t* classes;  // null: all are of class 0
  size_t count, padded;
  float min, max;
};

/// A vector of the values of one of the arrays of `Grids` for the places i...
inline F ofClass(const float* values, const Group& group, size_t i) {
  return group.classes == nullptr ? broadcast(values[0]) : gather(values, group.classes + i);
}

void padGroup(Group& group) {
  for (size_t i = group.count; i < group.padded; i++) group.x[i] = NAN;
  if (group.dy != nullptr) {
    for (size_t i = group.count; i < group.padded; i++) group.dy[i] = 0;
  }
  extent(group.x, group.padded, &group.min, &group.max);
}

/// x = (code - zero) scale.
void roundGroup(const Grids& grids, const Group& group) {
  for (size_t i = 0; i < group.padded; i += LANES) {
    const F scale = ofClass(grids.scale, group, i), zero = ofClass(grids.zero, group, i);
    const F rounded = roundEven(div(load(group.x + i), scale));
    const F code = smaller(larger(rounded, ofClass(grids.low, group, i)), ofClass(grids.high, group, i));
    store(group.x + i, mul(sub(add(code, zero), zero), scale));  // no -0
  }
}

/// dy = dy in, and returns sum dy ((code - zero) - in u) slope.
double passGradient(const Grids& grids, const Group& group) {
  double total = 0;
  size_t i = 0;
  // Float sums of 64 vectors at most, so that a long row costs no precision.
  while (i < group.padded) {
    const size_t stop = smallerSize(group.padded, i + 64 * LANES);
    F sum = broadcast(0);
    for (; i < stop; i += LANES) {
      const F dy = load(group.dy + i);
      const F u = div(load(group.x + i), ofClass(grids.scale, group, i));
      const F rounded = roundEven(u);
      const F code = smaller(larger(rounded, ofClass(grids.low, group, i)), ofClass(grids.high, group, i));
      const F byScale = sub(code, ifEqual(code, rounded, u, broadcast(0)));
      sum = mulAdd(mul(dy, byScale), ofClass(grids.slope, group, i), sum);
      store(group.dy + i, ifEqual(code, rounded, dy, broadcast(0)));
    }
    total += sumOf(sum);
  }
  return total;
}

/// The largest values share `toMax`, the smallest `toMin`.
void shareEnds(const Group& group, double toMin, double toMax) {
  if (toMin == 0 && toMax == 0) return;
  const F min = broadcast(group.min), max = broadcast(group.max), zero = broadcast(0);
  double mins = 0, maxes = 0;
  for (size_t i = 0; i < group.padded; i += LANES) {
    const F x = load(group.x + i);
    mins += sumOf(ifEqual(x, min, broadcast(1), zero));
    maxes += sumOf(ifEqual(x, max, broadcast(1), zero));
  }
  const F ofMin = broadcast(static_cast<float>(toMin / mins)), ofMax = broadcast(static_cast<float>(toMax / maxes));
  for (size_t i = 0; i < group.padded; i += LANES) {
    const F x = load(group.x + i);
    const F share = add(ifEqual(x, min, ofMin, zero), ifEqual(x, max, ofMax, zero));
    store(group.dy + i, add(load(group.dy + i), share));
  }
}

inline bool followsRange(float unit) { return unit >= 1e-5f && unit <= 1e4f; }

/// pack_class_of: the class of each channel, int32 [C]. Operands steps, packed; numbers C, then the GIF format.
size_t classOfBytes(const double* numbers) { return static_cast<size_t>(numbers[0]) * sizeof(int32_t); }
void packClassOf(const Call& call) {
  const Gif gif = readGif(call.numbers + 1);
  const auto* steps = operand<uint8_t>(call, 0);
  auto* classes = operand<int32_t>(call, 1);
  for (size_t c = 0; c < size(call, 0); c++) classes[c] = static_cast<int32_t>(gif.classOf(steps[c]));
}

Grids gifGrids(const Gif& gif, const Group& group) {
  Grids grids;
  for (size_t s = 0; s < gif.S; s++) {
    const int steps = gif.classes[s];
    int32_t zero;
    float scale;
    gifParameters(gif, steps, group.min, group.max, &scale, &zero);
    const float unit = (group.max - group.min) / static_cast<float>(gif.maxCode(gif.lossless ? 1 : steps));
    grids.set(s, scale, static_cast<float>(zero), gif.maxCode(steps), followsRange(unit));
  }
  return grids;
}

/// Groups of D channels and `block` tokens. body(group, grids) works in place; what it leaves in `result` goes to `out`.
template <class Body_>
void eachSpikeGroup(const Call& call, const float* x, const float* dy, const int32_t* classes, float* out,
                    const Body_& body) {
  const size_t N = size(call, 0), H = size(call, 1), D = size(call, 2), block = smallerSize(size(call, 3), N);
  const Gif gif = readGif(call.numbers + 4);
  if (N == 0) return;
  const size_t width = H * D, padded = roundUp(block * D, LANES);
  auto* values = scratchOf<float>(call, threadCount(call) * padded);
  auto* gradients = scratchOf<float>(call, threadCount(call) * padded);
  auto* kinds = scratchOf<int32_t>(call, threadCount(call) * padded);
  parallel(call, divideUp(N, block) * H, [&](size_t item, unsigned thread) {
    const size_t from = item / H * block, to = smallerSize(N, from + block), column = item % H * D;
    int32_t* kind = kinds + thread * padded;
    Group group{values + thread * padded, dy == nullptr ? nullptr : gradients + thread * padded,
                gif.S == 1 ? nullptr : kind, (to - from) * D, roundUp((to - from) * D, LANES), 0, 0};
    for (size_t n = from; n < to; n++) {
      const size_t at = (n - from) * D, place = n * width + column;
      std::memcpy(group.x + at, x + place, D * sizeof(float));
      if (dy != nullptr) std::memcpy(group.dy + at, dy + place, D * sizeof(float));
      std::memcpy(kind + at, classes + column, D * sizeof(int32_t));
    }
    for (size_t i = group.count; i < group.padded; i++) kind[i] = 0;
    padGroup(group);
    const float* result = body(group, gifGrids(gif, group));
    for (size_t n = from; n < to; n++) {
      std::memcpy(out + n * width + column, result + (n - from) * D, D * sizeof(float));
    }
  });
}

/// gif_round_trip_f32. Operands x, packed, y; numbers N, H, D, block, then the GIF format.
void gifRoundTrip(const Call& call) {
  eachSpikeGroup(call, operand<float>(call, 0), nullptr, operand<int32_t>(call, 1), operand<float>(call, 2),
                 [](const Group& group, const Grids& grids) {
                   roundGroup(grids, group);
                   return group.x;
                 });
}

/// gif_round_trip_backward_f32. Operands x, packed, dy, dx; numbers as gif_round_trip_f32.
void gifRoundTripBackward(const Call& call) {
  eachSpikeGroup(call, operand<float>(call, 0), operand<float>(call, 2), operand<int32_t>(call, 1),
                 operand<float>(call, 3), [](const Group& group, const Grids& grids) {
                   const double toMax = passGradient(grids, group);
                   shareEnds(group, -toMax, toMax);
                   return group.dy;
                 });
}

/// Operands weight, columns, rows, upper, lower; numbers O, C, weightBits.
struct TrainedWeight {
  const float *weight, *columns, *rows, *upper, *lower;
  size_t O, C;
  int bits;
  explicit TrainedWeight(const Call& call)
      : weight(operand<float>(call, 0)),
        columns(operand<float>(call, 1)),
        rows(operand<float>(call, 2)),
        upper(operand<float>(call, 3)),
        lower(operand<float>(call, 4)),
        O(size(call, 0)),
        C(size(call, 1)),
        bits(static_cast<int>(call.numbers[2])) {}

  bool rounded() const { return bits < 16; }
  /// w = weight columns rows of row o.
  void stage(size_t o, float* w) const {
    const float* row = weight + o * C;
    for (size_t c = 0; c < C; c++) {
      const float scaled = columns == nullptr ? row[c] : row[c] * columns[c];
      w[c] = rows == nullptr ? scaled : scaled * rows[o];
    }
  }
};

inline float keptShare(const float* factor, size_t o) {
  return factor == nullptr ? 1.0f : static_cast<float>(1 / (1 + std::exp(-static_cast<double>(factor[o]))));
}

/// The grid of a row whose range is clipped.
Grids weightGrid(const TrainedWeight& trained, size_t o, const Group& group) {
  const float low = keptShare(trained.lower, o) * group.min, high = keptShare(trained.upper, o) * group.max;
  const int largest = (1 << trained.bits) - 1;
  Grids grids;
  if (low == high) {
    grids.set(0, low == 0 ? 1.0f : std::fabs(low), low < 0 ? 1.0f : 0.0f, largest, false);
    return grids;
  }
  const float unit = (high - low) / static_cast<float>(largest);
  const float scale = clamp(unit, 1e-5f, 1e4f);
  grids.set(0, scale, std::nearbyintf(clamp(-low / scale, -1e4f, 1e4f)), largest, followsRange(unit));
  return grids;
}

/// weight_round_trip_f32. Operands weight, columns, rows, upper, lower, y; numbers O, C, weightBits.
void weightRoundTrip(const Call& call) {
  const TrainedWeight trained(call);
  auto* y = operand<float>(call, 5);
  const size_t C = trained.C, padded = roundUp(C, LANES);
  auto* memory = scratchOf<float>(call, threadCount(call) * padded);
  parallel(call, trained.O, [&](size_t o, unsigned thread) {
    Group group{memory + thread * padded, nullptr, nullptr, C, padded, 0, 0};
    trained.stage(o, group.x);
    padGroup(group);
    if (trained.rounded()) roundGroup(weightGrid(trained, o, group), group);
    std::memcpy(y + o * C, group.x, C * sizeof(float));
  });
}

/// Rows whose part of the column sums is taken together.
constexpr size_t WEIGHT_ROWS = 32;

/// Adds what a row gives to the sums of its columns; returns sum_c dw weight columns.
double addRow(const TrainedWeight& trained, size_t o, const float* dw, float* columnSums) {
  const float* weight = trained.weight + o * trained.C;
  const float row = trained.rows == nullptr ? 1.0f : trained.rows[o];
  double rowSum = 0;
  size_t c = 0;
  while (c + LANES <= trained.C) {
    const size_t stop = smallerSize(trained.C, c + 64 * LANES);
    F part = broadcast(0);
    for (; c + LANES <= stop; c += LANES) {
      const F product = mul(load(dw + c), load(weight + c));
      part = trained.columns == nullptr ? add(part, product) : mulAdd(product, load(trained.columns + c), part);
      if (columnSums != nullptr) store(columnSums + c, mulAdd(product, broadcast(row), load(columnSums + c)));
    }
    rowSum += sumOf(part);
  }
  for (; c < trained.C; c++) {
    const float product = dw[c] * weight[c];
    rowSum += trained.columns == nullptr ? product : product * trained.columns[c];
    if (columnSums != nullptr) columnSums[c] += product * row;
  }
  return rowSum;
}

/// weight_round_trip_backward_f32. Operands weight, columns, rows, upper, lower, dy, dweight, dcolumns, drows, dupper,
/// dlower; numbers O, C, weightBits.
void weightRoundTripBackward(const Call& call) {
  const TrainedWeight trained(call);
  const auto* dy = operand<float>(call, 5);
  auto* dweight = operand<float>(call, 6);
  auto* dcolumns = operand<float>(call, 7);
  auto* drows = operand<float>(call, 8);
  auto* dupper = operand<float>(call, 9);
  auto* dlower = operand<float>(call, 10);
  const size_t O = trained.O, C = trained.C, padded = roundUp(C, LANES), parts = divideUp(O, WEIGHT_ROWS);
  auto* memory = scratchOf<float>(call, threadCount(call) * 2 * padded);
  auto* sums = dcolumns == nullptr ? nullptr : scratchOf<float>(call, parts * C);
  parallel(call, parts, [&](size_t part, unsigned thread) {
    float* x = memory + thread * 2 * padded;
    float* columnSums = sums == nullptr ? nullptr : sums + part * C;
    if (columnSums != nullptr) std::memset(columnSums, 0, C * sizeof(float));
    for (size_t o = part * WEIGHT_ROWS; o < smallerSize(O, (part + 1) * WEIGHT_ROWS); o++) {
      Group group{x, x + padded, nullptr, C, padded, 0, 0};
      std::memcpy(group.dy, dy + o * C, C * sizeof(float));
      if (trained.rounded()) {
        trained.stage(o, group.x);
        padGroup(group);
        const double toRange = passGradient(weightGrid(trained, o, group), group);
        const double keptMax = keptShare(trained.upper, o), keptMin = keptShare(trained.lower, o);
        shareEnds(group, -keptMin * toRange, keptMax * toRange);
        const double byUpper = keptMax * (1 - keptMax) * group.max * toRange;
        const double byLower = keptMin * (1 - keptMin) * group.min * toRange;
        if (dupper != nullptr && trained.upper != nullptr) dupper[o] = static_cast<float>(dupper[o] + byUpper);
        if (dlower != nullptr && trained.lower != nullptr) dlower[o] = static_cast<float>(dlower[o] - byLower);
      }
      if (columnSums != nullptr || drows != nullptr) {
        const double rowSum = addRow(trained, o, group.dy, columnSums);
        if (drows != nullptr) drows[o] = static_cast<float>(drows[o] + rowSum);
      }
      if (dweight != nullptr) {
        const float row = trained.rows == nullptr ? 1.0f : trained.rows[o];
        for (size_t c = 0; c < C; c++) {
          dweight[o * C + c] += group.dy[c] * (trained.columns == nullptr ? 1.0f : trained.columns[c]) * row;
        }
      }
    }
  });
  addColumns(call, parts, C, dcolumns, [&](size_t part, size_t c) { return static_cast<double>(sums[part * C + c]); });
}
