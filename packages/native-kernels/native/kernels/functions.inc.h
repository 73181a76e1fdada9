// Functions of numbers, lane by lane.

inline F absoluteOf(F x) { return larger(x, sub(broadcast(0), x)); }

/// tanh(x): from 0.625 on by exp, below it, where that would lose digits, x + x^3 times a series in x^2 (Cephes tanhf).
inline F tanhOf(F x) {
  const F size = absoluteOf(x), square = mul(x, x);
  constexpr float terms[] = {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f};
  F series = broadcast(-5.70498872745e-3f);
  for (const float term : terms) series = mulAdd(series, square, broadcast(term));
  const F near = mulAdd(mul(series, square), x, x);
  const F e = expOf(smaller(mul(x, broadcast(2)), broadcast(80)));
  const F far = sub(broadcast(1), div(broadcast(2), add(e, broadcast(1))));
  return ifEqual(larger(size, broadcast(0.625f)), size, far, near);
}

/// erfc(z) for z >= 0, to 1.2e-7 of it, however small it is (Numerical Recipes, erfcc).
inline F erfcOf(F z) {
  const F t = div(broadcast(1), mulAdd(broadcast(0.5f), z, broadcast(1)));
  constexpr float terms[] = {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f,
                             0.09678418f,  0.37409196f, 1.00002368f,  -1.26551223f};
  F series = broadcast(0.17087277f);
  for (const float term : terms) series = mulAdd(series, t, broadcast(term));
  return mul(t, expOf(sub(series, mul(z, z))));
}

/// The normal distribution, (1 + erf(x / sqrt(2))) / 2.
inline F normalOf(F x) {
  const F tail = mul(broadcast(0.5f), erfcOf(mul(absoluteOf(x), broadcast(0.707106781f))));
  return ifEqual(larger(x, broadcast(0)), x, sub(broadcast(1), tail), tail);
}
