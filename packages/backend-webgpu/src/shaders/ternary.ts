import type { Shader } from '../shader.ts';
import { vectors } from './groups.ts';
import { layout } from './layout.ts';

export const linearTernary: Shader = {
  name: 'linear_ternary_f32',
  lanes: 64,
  bindings: {
    x: 'read array<f32>',
    segments: 'read array<u32>',
    weights: 'read array<u32>',
    rows: 'read array<u32>',
    y: 'write array<f32>',
  },
  params: ['O', 'C', 'U', 'G', 'W', 'field', 'offset'],
  needs: [layout, vectors],
  code: /* wgsl */ `
// y[n,o] = sum_w weightScale[o,w] sum over channels c with weights of class w of x[n,c] k[o,c] + bias[o].
// x [N, C], weights [O, U, 32] fields that hold k + offset, rows [O, 2 + W + G] with G = W, y [N, O].
// One group a token and 4 outputs; a lane takes every LANES-th channel of a segment.
// Float32 products and sums, in one order however many tokens there are.
// Oracle: linearTernary of the reference backend.
fn run(group: u32, lane: u32) {
  let blocks = (params.O + 3u) / 4u;
  let token = group / blocks;
  let first = group % blocks * 4u;
  let perWord = 8u / params.field;
  let mask = (1u << params.field) - 1u;
  var sums = vec4f();
  for (var g = 0u; g < params.G; g++) {
    let begin = segmentBegin(g);
    var part = vec4f();
    for (var place = begin + lane; place < segmentBegin(g + 1u); place += LANES) {
      let slot = place - begin;
      let word = slot % 32u / 4u;
      let at = (segmentUnit(g) + slot / 32u) * params.field + word / perWord;
      let shift = 8u * (slot % 4u) + params.field * (word % perWord);
      let value = x[token * params.C + placed(place)];
      for (var i = 0u; i < 4u; i++) {
        let o = min(first + i, params.O - 1u);
        let k = i32((weights[o * params.U * params.field + at] >> shift) & mask) - i32(params.offset);
        part[i] += value * f32(k);
      }
    }
    for (var i = 0u; i < 4u; i++) {
      let o = min(first + i, params.O - 1u);
      sums[i] += part[i] * bitcast<f32>(rows[o * (2u + params.W + params.G) + 2u + g]);
    }
  }
  let totals = sumsOfLanes(sums, lane);
  let o = first + lane;
  if (lane < 4u && o < params.O) {
    y[token * params.O + o] = totals[lane] + bitcast<f32>(rows[o * (2u + params.W + params.G) + 1u]);
  }
}
`,
};
