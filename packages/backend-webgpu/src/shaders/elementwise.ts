import type { Shader } from '../shader.ts';
import { half } from './bytes.ts';
import { activation, hyperbolic } from './functions.ts';

export const add: Shader = {
  name: 'add_f32',
  lanes: 64,
  bindings: { a: 'read array<f32>', b: 'read array<f32>', y: 'write array<f32>' },
  params: ['count'],
  code: /* wgsl */ `
// y = a + b.
// a, b, y [count].
// One invocation an element.
// One float32 rounding.
// Oracle: add of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = a[i] + b[i]; }
}
`,
};

export const gated: Shader = {
  name: 'gated_f32',
  lanes: 64,
  bindings: { gate: 'read array<f32>', up: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'activation'],
  needs: [activation],
  code: /* wgsl */ `
// y = a(gate) up, a the activation of that number.
// gate, up, y [count].
// One invocation an element.
// A few float32 roundings; exp is kept below the largest number.
// Oracle: gated of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = activated(gate[i]) * up[i]; }
}
`,
};

export const rope: Shader = {
  name: 'rope_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', cos: 'read array<f32>', sin: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'H', 'D', 'R', 'position'],
  code: /* wgsl */ `
// Halves (a, b) of the first 2 R channels of a head at p = position + n: (a cos[p] - b sin[p], b cos[p] + a sin[p]);
// the others are copied.
// x, y [N, H, D], cos, sin [P, R]; count = N H (D - R).
// One invocation a pair, or a channel that is copied.
// Two products and their sum, in float32.
// Oracle: rope of the reference backend.
fn run(group: u32, lane: u32) {
  let task = group * LANES + lane;
  if (task >= params.count) { return; }
  let R = params.R;
  let head = task / (params.D - R);
  let i = task % (params.D - R);
  let at = head * params.D + i;
  if (i >= R) {
    y[at + R] = x[at + R];
    return;
  }
  let angle = (params.position + head / params.H) * R + i;
  let turned = vec2f(x[at], x[at + R]);
  let c = cos[angle];
  let s = sin[angle];
  y[at] = turned.x * c - turned.y * s;
  y[at + R] = turned.y * c + turned.x * s;
}
`,
};

const embeddingCode = (row: string): string => /* wgsl */ `
// y[n] = table[ids[n]]; an id outside the table reads its last row.
// ids [N], table [V, C], y [N, C].
// One invocation an element.
// Exact.
// Oracle: embedding and embeddingHalf of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let at = min(u32(ids[i / params.C]), params.V - 1u) * params.C + i % params.C;
  y[i] = ${row};
}
`;

export const embedding: Shader = {
  name: 'embedding_f32',
  lanes: 64,
  bindings: { ids: 'read array<i32>', table: 'read array<u32>', y: 'write array<u32>' },
  params: ['count', 'V', 'C'],
  code: embeddingCode('table[at]'),
};

export const embeddingHalf: Shader = {
  name: 'embedding_half_f32',
  lanes: 64,
  bindings: { ids: 'read array<i32>', table: 'read array<u32>', y: 'write array<f32>' },
  params: ['count', 'V', 'C'],
  needs: [half],
  code: embeddingCode('halfOf((table[at / 2u] >> (16u * (at % 2u))) & 0xffffu)'),
};

export const activate: Shader = {
  name: 'activation_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'activation'],
  needs: [activation],
  code: /* wgsl */ `
// y = a(x), a the activation of that number.
// x, y [count].
// One invocation an element.
// A few float32 roundings.
// Oracle: activate of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = activated(x[i]); }
}
`,
};

export const scale: Shader = {
  name: 'scale_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'factor'],
  code: /* wgsl */ `
// y = x factor, a float32 as bits.
// x, y [count].
// One invocation an element.
// One float32 rounding.
// Oracle: scale of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = x[i] * bitcast<f32>(params.factor); }
}
`,
};

export const softcap: Shader = {
  name: 'softcap_f32',
  lanes: 64,
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: ['count', 'cap'],
  needs: [hyperbolic],
  code: /* wgsl */ `
// y = cap tanh(x / cap), cap a float32 as bits.
// x, y [count].
// One invocation an element.
// A few float32 roundings.
// Oracle: softcap of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  let cap = bitcast<f32>(params.cap);
  if (i < params.count) { y[i] = cap * tanhOf(x[i] / cap); }
}
`,
};
