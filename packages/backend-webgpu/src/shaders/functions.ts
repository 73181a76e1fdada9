import type { Part } from '../shader.ts';

/** tanh to float32: that of the driver may be off by 1e-5. */
export const hyperbolic: Part = {
  code: /* wgsl */ `
// Below 0.625, where exp would lose digits, x + x^3 times a series in x^2 (Cephes tanhf).
fn tanhOf(x: f32) -> f32 {
  if (abs(x) >= 0.625) { return 1.0 - 2.0 / (exp(min(2.0 * x, 80.0)) + 1.0); }
  let z = x * x;
  let near = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1;
  return near * z * x + x;
}
`,
};

/** The activation of the number in the param of that name: its place among those of the kernel table. */
export const activation: Part = {
  code: /* wgsl */ `
// x / (1 + exp(-z)).
fn opened(x: f32, z: f32) -> f32 { return x / (1.0 + exp(min(-z, 88.0))); }
// (1 + erf(x / sqrt(2))) / 2, to 1.2e-7 of it in the lower tail (Numerical Recipes, erfcc).
fn normalOf(x: f32) -> f32 {
  let z = min(abs(x) * 0.707106781, 20.0);
  let t = 1.0 / (1.0 + 0.5 * z);
  let low = (((0.17087277 * t - 0.82215223) * t + 1.48851587) * t - 1.13520398) * t + 0.27886807;
  let series = ((((low * t - 0.18628806) * t + 0.09678418) * t + 0.37409196) * t + 1.00002368) * t - 1.26551223;
  let tail = 0.5 * t * exp(series - z * z);
  return select(tail, 1.0 - tail, x >= 0.0);
}
fn activated(x: f32) -> f32 {
  switch params.activation {
    case 0u: { return max(x, 0.0); }
    case 1u: { return opened(x, x); }
    case 2u: { return opened(x, 1.595769122 * x * (1.0 + 0.044715 * x * x)); }
    default: { return x * normalOf(x); }
  }
}
`,
};
