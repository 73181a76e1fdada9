import type { Shader } from '../shader.ts';

export const route: Shader = {
  name: 'route_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'E', 'top', 'renormalised'],
  code: /* wgsl */ `
// y[n,e] = p[e] where x[n,e] is among the top largest of its row, the first of equals, else 0; p = softmax of the row, or of those alone.
// x, y [N, E].
// One invocation an element: it takes the largest one after the other.
// Float32 sums, below the largest.
// Oracle: route of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let at = i - i % params.E;
  var largest = x[at];
  for (var e = 1u; e < params.E; e++) { largest = max(largest, x[at + e]); }
  var last = params.E;
  var kept = false;
  var sum = 0.0;
  for (var taken = 0u; taken < min(params.top, params.E); taken++) {
    var best = params.E;
    for (var e = 0u; e < params.E; e++) {
      // Behind the last one that was taken: smaller, or as large and later.
      let behind = last == params.E || x[at + e] < x[at + last % params.E] || (x[at + e] == x[at + last % params.E] && e > last);
      if (behind && (best == params.E || x[at + e] > x[at + best % params.E])) { best = e; }
    }
    last = best;
    kept = kept || at + best == i;
    sum += exp(x[at + best % params.E] - largest);
  }
  if (params.renormalised == 0u) {
    sum = 0.0;
    for (var e = 0u; e < params.E; e++) { sum += exp(x[at + e] - largest); }
  }
  y[i] = select(0.0, exp(x[i] - largest) / sum, kept);
}
`,
};

export const weigh: Shader = {
  name: 'weigh_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', by: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'C', 'E', 'column'],
  code: /* wgsl */ `
// y[n,c] = x[n,c] by[n,column].
// x, y [N, C], by [N, E].
// One invocation an element.
// One float32 rounding.
// Oracle: weigh of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = x[i] * by[i / params.C * params.E + params.column]; }
}
`,
};
