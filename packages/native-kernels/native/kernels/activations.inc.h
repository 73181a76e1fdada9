// Activations alone and as gates, and their gradients.

/// The first `count` lanes of a vector, or all of them; the others are 0.
inline F loadFirst(const float* p, size_t count) {
  if (count >= LANES) return load(p);
  float lanes[LANES] = {};
  std::memcpy(lanes, p, count * sizeof(float));
  return load(lanes);
}
/// The first `count` lanes of a vector, or all of them, to memory.
inline void storeFirst(float* p, F x, size_t count) {
  if (count >= LANES) return store(p, x);
  float lanes[LANES];
  store(lanes, x);
  std::memcpy(p, lanes, count * sizeof(float));
}

/// out = of(in) for `count` elements of IN inputs and OUT outputs, in vectors. `of` takes and fills arrays of vectors.
template <size_t IN_, size_t OUT_, class Of>
void mapVectors(const Call& call, size_t count, const float* const (&in)[IN_], float* const (&out)[OUT_],
                const Of& of) {
  parallelRanges(call, count, 4096, [&](size_t from, size_t to) {
    F x[IN_], y[OUT_];
    for (size_t i = from; i < to; i += LANES) {
      for (size_t j = 0; j < IN_; j++) x[j] = loadFirst(in[j] + i, to - i);
      of(x, y);
      for (size_t j = 0; j < OUT_; j++) storeFirst(out[j] + i, y[j], to - i);
    }
  });
}

/// exp(-x), finite and above 0.
inline F expOfMinus(F x) { return expOf(smaller(broadcast(80), larger(broadcast(-80), sub(broadcast(0), x)))); }

// Each activation a has its value a(x), dy a(x), and dy up a'(x).

struct Relu {
  static F value(F x) { return larger(x, broadcast(0)); }
  static F scaled(F x, F dy) { return mul(dy, value(x)); }
  static F gradient(F x, F dy, F up) { return ifEqual(larger(x, broadcast(0)), broadcast(0), broadcast(0), mul(dy, up)); }
};

/// With e = exp(-x): s = 1 / (1 + e), 1 - s = e s.
struct Silu {
  static F gate(F e) { return div(broadcast(1), add(broadcast(1), e)); }
  static F value(F x) { return div(x, add(broadcast(1), expOf(sub(broadcast(0), x)))); }
  static F scaled(F x, F dy) { return mul(mul(dy, gate(expOfMinus(x))), x); }
  static F gradient(F x, F dy, F up) {
    const F e = expOfMinus(x), s = gate(e);
    return mul(mul(mul(dy, s), up), mulAdd(x, mul(e, s), broadcast(1)));
  }
};

struct GeluTanh {
  static constexpr float SLOPE = 0.797884561f;  // sqrt(2 / pi)
  /// exp(-2 u).
  static F below(F x) {
    const F u = mul(mul(broadcast(SLOPE), x), mulAdd(mul(broadcast(0.044715f), x), x, broadcast(1)));
    return expOfMinus(mul(broadcast(2), u));
  }
  static F value(F x) { return div(x, add(broadcast(1), below(x))); }
  static F scaled(F x, F dy) { return mul(dy, value(x)); }
  static F gradient(F x, F dy, F up) {
    const F e = below(x), s = Silu::gate(e);
    // Beyond 100 the gate is open or shut for good; x itself may be too large to square.
    const F near = smaller(broadcast(100), larger(broadcast(-100), x));
    const F slope = mulAdd(mul(broadcast(3 * 0.044715f * 2 * SLOPE), near), near, broadcast(2 * SLOPE));
    return mul(mul(mul(dy, s), up), mulAdd(mul(near, slope), mul(e, s), broadcast(1)));
  }
};

struct Gelu {
  static F value(F x) { return mul(x, normalOf(x)); }
  static F scaled(F x, F dy) { return mul(dy, value(x)); }
  static F gradient(F x, F dy, F up) {
    const F near = smaller(broadcast(100), larger(broadcast(-100), x));
    const F density = mul(broadcast(0.398942280f), expOf(mul(mul(broadcast(-0.5f), near), near)));
    return mul(mul(dy, up), mulAdd(near, density, normalOf(x)));
  }
};

/// body(activation), by its place among the activations of the kernel table.
template <class Body>
auto withActivation(size_t of, const Body& body) {
  if (of == 0) return body(Relu{});
  if (of == 1) return body(Silu{});
  if (of == 2) return body(GeluTanh{});
  return body(Gelu{});
}

/// y = a(gate) up for `count` elements.
using GateAll = void (*)(const float* gate, const float* up, size_t count, float* y);
template <class Activation>
void gateAll(const float* gate, const float* up, size_t count, float* y) {
  for (size_t i = 0; i < count; i += LANES) {
    const F x = loadFirst(gate + i, count - i), factor = loadFirst(up + i, count - i);
    storeFirst(y + i, mul(Activation::value(x), factor), count - i);
  }
}
inline GateAll gateOf(size_t of) {
  return withActivation(of, [](auto activation) -> GateAll { return gateAll<decltype(activation)>; });
}

/// gated_f32. Operands gate, up, y; numbers N C, the activation.
void gated(const Call& call) {
  const auto* gate = operand<float>(call, 0);
  const auto* up = operand<float>(call, 1);
  auto* y = operand<float>(call, 2);
  const GateAll all = gateOf(size(call, 1));
  parallelRanges(call, size(call, 0), 4096,
                 [&](size_t from, size_t to) { all(gate + from, up + from, to - from, y + from); });
}

/// gated_backward_f32. Operands gate, up, dy, dgate, dup; numbers as gated_f32.
void gatedBackward(const Call& call) {
  const float* const in[] = {operand<float>(call, 0), operand<float>(call, 1), operand<float>(call, 2)};
  float* const out[] = {operand<float>(call, 3), operand<float>(call, 4)};
  withActivation(size(call, 1), [&](auto activation) {
    using Own = decltype(activation);
    mapVectors(call, size(call, 0), in, out, [](const F* x, F* y) {
      y[0] = Own::gradient(x[0], x[2], x[1]);
      y[1] = Own::scaled(x[0], x[2]);
    });
  });
}

/// activation_f32. Operands x, y; numbers N C, the activation.
void activation(const Call& call) {
  const float* const in[] = {operand<float>(call, 0)};
  float* const out[] = {operand<float>(call, 1)};
  withActivation(size(call, 1), [&](auto activation) {
    using Own = decltype(activation);
    mapVectors(call, size(call, 0), in, out, [](const F* x, F* y) { y[0] = Own::value(x[0]); });
  });
}

/// activation_backward_f32. Operands x, dy, dx; numbers as activation_f32.
void activationBackward(const Call& call) {
  const float* const in[] = {operand<float>(call, 0), operand<float>(call, 1)};
  float* const out[] = {operand<float>(call, 2)};
  withActivation(size(call, 1), [&](auto activation) {
    using Own = decltype(activation);
    mapVectors(call, size(call, 0), in, out,
               [](const F* x, F* y) { y[0] = Own::gradient(x[0], x[1], broadcast(1)); });
  });
}

/// scale_f32. Operands x, y; numbers N C, factor.
void scaleAll(const Call& call) {
  const float* const in[] = {operand<float>(call, 0)};
  float* const out[] = {operand<float>(call, 1)};
  const F factor = broadcast(static_cast<float>(call.numbers[1]));
  mapVectors(call, size(call, 0), in, out, [&](const F* x, F* y) { y[0] = mul(x[0], factor); });
}

/// softcap_f32. Operands x, y; numbers N C, cap.
void softcap(const Call& call) {
  const float* const in[] = {operand<float>(call, 0)};
  float* const out[] = {operand<float>(call, 1)};
  const F cap = broadcast(static_cast<float>(call.numbers[1]));
  mapVectors(call, size(call, 0), in, out, [&](const F* x, F* y) { y[0] = mul(cap, tanhOf(div(x[0], cap))); });
}

/// softcap_backward_f32: 1 - tanh(u)^2 = 4 e / (1 + e)^2 with e = exp(-2 |u|), which cancels nothing. Operands x, dy, dx; numbers as softcap_f32.
void softcapBackward(const Call& call) {
  const float* const in[] = {operand<float>(call, 0), operand<float>(call, 1)};
  float* const out[] = {operand<float>(call, 2)};
  const F cap = broadcast(static_cast<float>(call.numbers[1]));
  mapVectors(call, size(call, 0), in, out, [&](const F* x, F* y) {
    const F e = expOf(mul(broadcast(-2), absoluteOf(div(x[0], cap)))), whole = add(broadcast(1), e);
    y[0] = div(mul(x[1], mul(broadcast(4), e)), mul(whole, whole));
  });
}
