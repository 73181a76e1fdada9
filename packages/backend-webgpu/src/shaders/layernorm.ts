import { floats } from './groups.ts';
import type { Shader } from '../shader.ts';

export const layernorm: Shader = {
  name: 'layernorm_f32',
  lanes: 256,
  bindings: {
    x: 'read array<f32>',
    weight: 'read array<f32>',
    bias: 'read array<f32>',
    y: 'write array<f32>',
  },
  params: ['C', 'eps', 'hasBias'],
  needs: [floats],
  code: /* wgsl */ `
// y[n,c] = (x[n,c] - mean_c x) / sqrt(mean_c (x - mean_c x)^2 + eps) weight[c] + bias[c], eps a float32 as bits.
// x, y [N, C], weight, bias [C].
// One group a row.
// Float32 sums; the mean in two parts, so that an offset of the row costs no digits.
// Oracle: layernorm of the reference backend.
fn run(group: u32, lane: u32) {
  let at = group * params.C;
  let size = f32(params.C);
  var part = 0.0;
  for (var c = lane; c < params.C; c += LANES) { part += x[at + c]; }
  let mean = sumOfLanes(part, lane) / size;
  part = 0.0;
  for (var c = lane; c < params.C; c += LANES) { part += x[at + c] - mean; }
  let rest = sumOfLanes(part, lane) / size;
  part = 0.0;
  for (var c = lane; c < params.C; c += LANES) {
    let centred = (x[at + c] - mean) - rest;
    part += centred * centred;
  }
  let r = 1.0 / sqrt(sumOfLanes(part, lane) / size + bitcast<f32>(params.eps));
  for (var c = lane; c < params.C; c += LANES) {
    var shift = 0.0;
    if (params.hasBias != 0u) { shift = bias[c]; }
    y[at + c] = ((x[at + c] - mean) - rest) * r * weight[c] + shift;
  }
}
`,
};
