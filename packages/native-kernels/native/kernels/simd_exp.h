// exp for the vector layers, by its own series: exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; the terms up to
// r^7 leave 5e-9 of it. Below -110 the result is 0, above 89 infinity; NaN stays NaN.
inline F expOf(F x) {
  x = smaller(broadcast(89.0f), larger(broadcast(-110.0f), x));
  const F n = roundEven(mul(x, broadcast(1.44269504f)));
  // ln 2 in two parts, so that n ln 2 loses nothing.
  F r = mulAdd(n, broadcast(-0.693145752f), x);
  r = mulAdd(n, broadcast(-1.42860677e-6f), r);
  F series = broadcast(1.0f / 5040);
  constexpr float terms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  for (const float term : terms) {
    series = mulAdd(series, r, broadcast(term));
  }
  return timesPowerOf2(series, n);
}
