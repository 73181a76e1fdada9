import type { Shader } from '../shader.ts';
import { floats } from './groups.ts';

export const columnAbsmax: Shader = {
  name: 'column_absmax_f32',
  lanes: 64,
  bindings: { x: 'read array<u32>', largest: 'write array<u32>' },
  params: ['C', 'N'],
  code: /* wgsl */ `
// largest[c] = max(largest[c], max_n |x[n,c]|).
// x [N, C], largest [C], as bits: numbers of one sign are in the order of their bits.
// One invocation a column.
// Exact.
// Oracle: columnAbsmax of the reference backend.
fn run(group: u32, lane: u32) {
  let c = group * LANES + lane;
  if (c >= params.C || params.N == 0u) { return; }
  var most = select(largest[c], 0u, (largest[c] >> 31u) == 1u);
  for (var n = 0u; n < params.N; n++) { most = max(most, x[n * params.C + c] & 0x7fffffffu); }
  largest[c] = most;
}
`,
};

export const columnDot: Shader = {
  name: 'column_dot_f32',
  lanes: 64,
  bindings: { a: 'read array<f32>', b: 'read array<f32>', sum: 'write array<f32>' },
  params: ['C', 'N'],
  code: /* wgsl */ `
// sum[c] += sum_n a[n,c] b[n,c].
// a, b [N, C], sum [C].
// One invocation a column.
// Float32 products and sums.
// Oracle: columnDot of the reference backend.
fn run(group: u32, lane: u32) {
  let c = group * LANES + lane;
  if (c >= params.C) { return; }
  var dot = 0.0;
  for (var n = 0u; n < params.N; n++) { dot += a[n * params.C + c] * b[n * params.C + c]; }
  sum[c] += dot;
}
`,
};

export const keySaliency: Shader = {
  name: 'key_saliency_f32',
  lanes: 64,
  bindings: { q: 'read array<f32>', k: 'read array<f32>', score: 'write array<f32>' },
  params: ['N', 'H', 'K', 'D'],
  needs: [floats],
  code: /* wgsl */ `
// score[h,d] += sum_e (q^T q)[d,e] (k^T k)[d,e] over the channels e of the head.
// q [N, H, D], k [N, K, D], score [H, D].
// One group a channel, a lane every LANES-th e.
// Float32 products and sums.
// Oracle: kvSaliency of the reference backend.
fn run(group: u32, lane: u32) {
  let h = group / params.D;
  let d = group % params.D;
  let key = h * params.K / params.H * params.D;
  var part = 0.0;
  for (var e = lane; e < params.D; e += LANES) {
    var ofQ = 0.0;
    var ofK = 0.0;
    for (var n = 0u; n < params.N; n++) {
      let query = (n * params.H + h) * params.D;
      let row = n * params.K * params.D + key;
      ofQ += q[query + d] * q[query + e];
      ofK += k[row + d] * k[row + e];
    }
    part += ofQ * ofK;
  }
  let total = sumOfLanes(part, lane);
  if (lane == 0u) { score[group] += total; }
}
`,
};

export const crossEntropy: Shader = {
  name: 'cross_entropy_f32',
  lanes: 256,
  bindings: { logits: 'read array<f32>', targets: 'read array<i32>', y: 'write array<f32>' },
  params: ['V'],
  needs: [floats],
  code: /* wgsl */ `
// y[n] = log sum_v exp logits[n,v] - logits[n, targets[n]].
// logits [N, V], targets [N], y [N].
// One group a token.
// Float32 sums, below the largest logit.
// Oracle: crossEntropy of the reference backend.
fn run(group: u32, lane: u32) {
  let at = group * params.V;
  var most = logits[at];
  for (var v = lane; v < params.V; v += LANES) { most = max(most, logits[at + v]); }
  let largest = largestOfLanes(most, lane);
  var part = 0.0;
  for (var v = lane; v < params.V; v += LANES) { part += exp(logits[at + v] - largest); }
  let total = sumOfLanes(part, lane);
  if (lane == 0u) { y[group] = log(total) + (largest - logits[at + min(u32(targets[group]), params.V - 1u)]); }
}
`,
};
