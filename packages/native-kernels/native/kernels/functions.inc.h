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
