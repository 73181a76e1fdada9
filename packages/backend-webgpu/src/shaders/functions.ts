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
