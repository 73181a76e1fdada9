/** Products of float matrices; the kernels differ in how an element is read. */
import type { Part, Shader } from '../shader.ts';
import { half } from './bytes.ts';
import { vectors } from './groups.ts';
import { storedWeights } from './pack.ts';

/** How weights [O, C] are read: `weightAt(o, c)`, and what the sum over c is multiplied by and raised by at the end. */
interface Weights {
  readonly name: string;
  readonly bindings: Shader['bindings'];
  readonly params: readonly string[];
  readonly needs: readonly Part[];
  readonly formula: string;
  readonly code: string;
}

const biased = /* wgsl */ `
fn biasOf(o: u32) -> f32 {
  if (params.hasBias == 0u) { return 0.0; }
  return bias[o];
}
`;
const floatWeights: Weights = {
  name: 'linear_f32',
  bindings: { weight: 'read array<f32>', bias: 'read array<f32>' },
  params: ['C', 'hasBias'],
  needs: [],
  formula: 'y[n,o] = sum_c x[n,c] weight[o,c] + bias[o]',
  code: /* wgsl */ `
fn weightAt(o: u32, c: u32) -> f32 { return weight[o * params.C + c]; }
fn finish(o: u32, sum: f32) -> f32 { return sum + biasOf(o); }
${biased}`,
};
const halfWeights: Weights = {
  ...floatWeights,
  name: 'linear_half_f32',
  bindings: { weight: 'read array<u32>', bias: 'read array<f32>' },
  needs: [half],
  formula: 'y[n,o] = sum_c x[n,c] weight[o,c] + bias[o], weight in half precision',
  code: /* wgsl */ `
fn weightAt(o: u32, c: u32) -> f32 {
  let i = o * params.C + c;
  return halfOf((weight[i / 2u] >> (16u * (i % 2u))) & 0xffffu);
}
fn finish(o: u32, sum: f32) -> f32 { return sum + biasOf(o); }
${biased}`,
};
const packedWeights: Weights = {
  name: 'linear_packed_f32',
  bindings: {
    weight: 'read array<u32>',
    weightScale: 'read array<f32>',
    weightZero: 'read array<i32>',
    bias: 'read array<f32>',
  },
  params: ['C', 'weightBits', 'hasBias'],
  needs: [storedWeights],
  formula:
    'y[n,o] = weightScale[o] sum_c x[n,c] (w[o,c] - weightZero[o]) + bias[o], weights as they are stored',
  code: /* wgsl */ `
fn weightAt(o: u32, c: u32) -> f32 { return f32(i32(storedCode(o, c)) - weightZero[o]); }
fn finish(o: u32, sum: f32) -> f32 { return sum * weightScale[o] + biasOf(o); }
${biased}`,
};

/** For a few tokens: one group a token and 4 outputs. */
const rowProduct = (weights: Weights): Shader => ({
  name: weights.name.replace('_f32', '_token_f32'),
  lanes: 32,
  bindings: { x: 'read array<f32>', ...weights.bindings, y: 'write array<f32>' },
  params: ['O', ...weights.params],
  needs: [vectors, ...weights.needs],
  code: /* wgsl */ `
// ${weights.formula}, for a few tokens.
// x [N, C], y [N, O].
// One group a token and 4 outputs; a lane takes every LANES-th four channels.
// Float32 products and sums, in one order however many tokens there are.
// Oracle: linear, linearHalf and linearPacked of the reference backend.
${weights.code}
fn run(group: u32, lane: u32) {
  let blocks = (params.O + 3u) / 4u;
  let token = group / blocks;
  let first = group % blocks * 4u;
  let last = params.O - 1u;
  var sums = vec4f();
  for (var four = lane * 4u; four < params.C; four += LANES * 4u) {
    for (var c = four; c < min(four + 4u, params.C); c++) {
      let value = x[token * params.C + c];
      sums += value * vec4f(
        weightAt(first, c), weightAt(min(first + 1u, last), c),
        weightAt(min(first + 2u, last), c), weightAt(min(first + 3u, last), c));
    }
  }
  let totals = sumsOfLanes(sums, lane);
  let o = first + lane;
  if (lane < 4u && o < params.O) { y[token * params.O + o] = finish(o, totals[lane]); }
}
`,
});

/** y [rows, columns] = sum_k a(row, k) b(column, k), 64 by 64 outputs a group. */
const tileCode = /* wgsl */ `
const SIZE = 64u;
const DEPTH = 16u;
var<workgroup> left: array<f32, SIZE * (DEPTH + 1u)>;
var<workgroup> right: array<f32, SIZE * (DEPTH + 1u)>;
fn run(group: u32, lane: u32) {
  let across = (params.columns + SIZE - 1u) / SIZE;
  let firstRow = group / across * SIZE;
  let firstColumn = group % across * SIZE;
  let row = lane / 16u;
  let column = lane % 16u;
  var sums = array<vec4f, 4>();
  for (var start = 0u; start < params.depth; start += DEPTH) {
    workgroupBarrier();
    for (var i = lane; i < SIZE * DEPTH; i += LANES) {
      let k = start + i % DEPTH;
      let at = i / DEPTH * (DEPTH + 1u) + i % DEPTH;
      let r = firstRow + i / DEPTH;
      let c = firstColumn + i / DEPTH;
      left[at] = 0.0;
      right[at] = 0.0;
      if (k < params.depth && r < params.rows) { left[at] = leftAt(r, k); }
      if (k < params.depth && c < params.columns) { right[at] = rightAt(c, k); }
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let values = vec4f(
        right[column * (DEPTH + 1u) + k], right[(column + 16u) * (DEPTH + 1u) + k],
        right[(column + 32u) * (DEPTH + 1u) + k], right[(column + 48u) * (DEPTH + 1u) + k]);
      for (var i = 0u; i < 4u; i++) { sums[i] += left[(row + 16u * i) * (DEPTH + 1u) + k] * values; }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      let r = firstRow + row + 16u * i;
      let c = firstColumn + column + 16u * j;
      if (r < params.rows && c < params.columns) { y[r * params.columns + c] = finish(c, sums[i][j]); }
    }
  }
}
`;

/** For many tokens. */
const tileProduct = (weights: Weights): Shader => ({
  name: weights.name.replace('_f32', '_tokens_f32'),
  lanes: 256,
  bindings: { x: 'read array<f32>', ...weights.bindings, y: 'write array<f32>' },
  params: ['rows', 'columns', 'depth', ...weights.params],
  needs: weights.needs,
  code: /* wgsl */ `
// ${weights.formula}, for many tokens.
// x [N, C], y [N, O]; rows N, columns O, depth C.
// One group 64 tokens by 64 outputs, a lane 4 by 4 of them.
// Float32 products and sums.
// Oracle: linear, linearHalf and linearPacked of the reference backend.
fn leftAt(n: u32, c: u32) -> f32 { return x[n * params.C + c]; }
fn rightAt(o: u32, c: u32) -> f32 { return weightAt(o, c); }
${weights.code}
${tileCode}`,
});

export const linearToken = rowProduct(floatWeights);
export const linearTokens = tileProduct(floatWeights);
export const linearHalfToken = rowProduct(halfWeights);
export const linearHalfTokens = tileProduct(halfWeights);
export const linearPackedToken = rowProduct(packedWeights);
export const linearPackedTokens = tileProduct(packedWeights);

const matrices = {
  lanes: 256,
  bindings: { a: 'read array<f32>', b: 'read array<f32>', y: 'write array<f32>' },
  params: ['rows', 'columns', 'depth'],
} as const;

export const matmul: Shader = {
  ...matrices,
  name: 'matmul_f32',
  code: /* wgsl */ `
// y[n,c] = sum_o a[n,o] b[o,c].
// a [N, O], b [O, C], y [N, C]; rows N, columns C, depth O.
// One group 64 by 64 outputs, a lane 4 by 4 of them.
// Float32 products and sums.
// Oracle: matmul of the reference backend.
fn leftAt(n: u32, o: u32) -> f32 { return a[n * params.depth + o]; }
fn rightAt(c: u32, o: u32) -> f32 { return b[o * params.columns + c]; }
fn finish(c: u32, sum: f32) -> f32 { return sum; }
${tileCode}`,
};

export const matmulTn: Shader = {
  ...matrices,
  name: 'matmul_tn_f32',
  code: /* wgsl */ `
// y[c,o] = sum_n a[n,c] b[n,o].
// a [N, C], b [N, O], y [C, O]; rows C, columns O, depth N.
// One group 64 by 64 outputs, a lane 4 by 4 of them.
// Float32 products and sums.
// Oracle: matmulTn of the reference backend.
fn leftAt(c: u32, n: u32) -> f32 { return a[n * params.rows + c]; }
fn rightAt(o: u32, n: u32) -> f32 { return b[n * params.columns + o]; }
fn finish(o: u32, sum: f32) -> f32 { return sum; }
${tileCode}`,
};

export const embeddingPacked: Shader = {
  name: 'embedding_packed_f32',
  lanes: 64,
  bindings: {
    ids: 'read array<i32>',
    weight: 'read array<u32>',
    weightScale: 'read array<f32>',
    weightZero: 'read array<i32>',
    y: 'write array<f32>',
  },
  params: ['count', 'V', 'C', 'weightBits'],
  needs: [storedWeights],
  code: /* wgsl */ `
// y[n,c] = (w[i,c] - weightZero[i]) weightScale[i], i = ids[n]; an id outside the table reads its last row.
// ids [N], weight bit fields [V, C], weightScale, weightZero [V], y [N, C].
// One invocation an element.
// One float32 product.
// Oracle: embeddingPacked of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let row = min(u32(ids[i / params.C]), params.V - 1u);
  y[i] = f32(i32(storedCode(row, i % params.C)) - weightZero[row]) * weightScale[row];
}
`,
};
