/** Elements smaller than a word, in arrays of words. */
import type { Part } from '../shader.ts';

/** The bits of a half-precision number as a float, subnormal numbers too. */
export const half: Part = {
  code: /* wgsl */ `
fn halfOf(bits: u32) -> f32 {
  let sign = (bits & 0x8000u) << 16u;
  let rest = bits & 0x7fffu;
  if (rest >= 0x7c00u) { return bitcast<f32>(sign | 0x7f800000u | ((rest & 0x3ffu) << 13u)); }
  if (rest >= 0x400u) { return bitcast<f32>(sign | ((rest << 13u) + 0x38000000u)); }
  let size = f32(rest) * 0x1p-24f;
  return select(size, -size, sign != 0u);
}
`,
};
