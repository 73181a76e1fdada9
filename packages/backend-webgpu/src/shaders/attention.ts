/** Causal attention in two steps, scores and what they weigh, over keys and values of several kinds. */
import type { Part, Shader } from '../shader.ts';
import { gif, GIF_PARAMS } from './gif.ts';
import { hyperbolic } from './functions.ts';
import { floats } from './groups.ts';

/** Channels of a head at most: what the lanes of a group can hold. */
export const MOST_CHANNELS = 512;

/** Which keys a token sees. */
const seen: Part = {
  code: /* wgsl */ `
// The first position that a token of this call sees; the last is its own.
fn firstSeen(token: u32) -> u32 {
  let at = params.position + token;
  return select(at + 1u - params.window, 0u, params.window == 0u || at < params.window);
}
`,
};

const cachedCode = /* wgsl */ `
fn codeAt(i: u32) -> u32 {
  if (isWide()) { return (codes[i / 2u] >> (16u * (i % 2u))) & 0xffffu; }
  return (codes[i / 4u] >> (8u * (i % 4u))) & 255u;
}
`;
const tokenCode = (first: string): string => /* wgsl */ `
fn valueAt(t: u32, head: u32, d: u32) -> f32 {
  let cached = t * params.K + head;
  let at = cached * params.S + classes[${first} + head * params.D + d];
  return decode(codeAt(cached * params.D + d), Neuron(scale[at], zero[at]));
}
${cachedCode}`;
const coded = {
  classes: 'read array<u32>',
  codes: 'read array<u32>',
  scale: 'read array<u32>',
  zero: 'read array<i32>',
} as const;

const scores = (
  name: string,
  cache: Shader['bindings'],
  params: readonly string[],
  needs: readonly Part[],
  keys: string,
  code: string,
): Shader => ({
  name,
  lanes: 64,
  bindings: { q: 'read array<f32>', ...cache, scores: 'write array<f32>' },
  params: ['H', 'K', 'D', 'position', 'total', 'firstToken', 'window', 'divisor', 'softcap', ...params],
  needs: [hyperbolic, seen, ...needs],
  code: /* wgsl */ `
// scores[n,h,t] = q[n,h] . key[t, floor(h K / H)] scale, capped where there is a softcap, for the t that token n sees;
// tokens n from firstToken on.
// divisor is 1 / scale, sqrt(D) where that is usual, which rounds the quotient once; both it and softcap are float32 as bits.
// q [N, H, D], ${keys}, scores [tokens, H, total].
// One group a token, query head and LANES positions, a lane a position.
// Float32 products and sums along d: one order, however many tokens there are.
// Oracle: softmaxScores of the reference backend.
var<workgroup> query: array<f32, ${MOST_CHANNELS}>;
${code}
fn run(group: u32, lane: u32) {
  let across = (params.total + LANES - 1u) / LANES;
  let row = group / across;
  let token = params.firstToken + row / params.H;
  let h = row % params.H;
  let start = group % across * LANES;
  if (start > params.position + token || start + LANES <= firstSeen(token)) { return; }
  for (var d = lane; d < params.D; d += LANES) { query[d] = q[(token * params.H + h) * params.D + d]; }
  workgroupBarrier();
  let t = start + lane;
  if (t > params.position + token || t < firstSeen(token)) { return; }
  let head = h * params.K / params.H;
  var sum = 0.0;
  for (var d = 0u; d < params.D; d++) { sum += query[d] * keyAt(token, t, head, d); }
  let score = sum / bitcast<f32>(params.divisor);
  let softcap = bitcast<f32>(params.softcap);
  if (softcap > 0.0) { scores[row * params.total + t] = softcap * tanhOf(score / softcap); }
  else { scores[row * params.total + t] = score; }
}
`,
});

export const scoresFloat = scores(
  'scores_f32',
  { keys: 'read array<f32>' },
  [],
  [],
  'keys [P, K, D]',
  /* wgsl */ `
fn keyAt(token: u32, t: u32, head: u32, d: u32) -> f32 { return keys[(t * params.K + head) * params.D + d]; }
`,
);
export const scoresToken = scores(
  'scores_gif_token_f32',
  coded,
  ['S', ...GIF_PARAMS],
  [gif],
  'codes [P, K, D], scale, zero [P, K, S], classes [2, K, D]',
  /* wgsl */ `
fn keyAt(token: u32, t: u32, head: u32, d: u32) -> f32 { return valueAt(t, head, d); }
${tokenCode('0u')}`,
);
export const scoresBlock = scores(
  'scores_gif_block_f32',
  {
    k: 'read array<f32>',
    openKeys: 'read array<f32>',
    codes: coded.codes,
    scale: coded.scale,
    zero: coded.zero,
  },
  ['block', ...GIF_PARAMS],
  [gif],
  'k [N, K, D], openKeys [block, K, D], codes [P, K, D], scale, zero [blocks, K, D]',
  /* wgsl */ `
${cachedCode}
// Closed blocks as they decode; the query's own block in float, as it came in this call or before it.
fn keyAt(token: u32, t: u32, head: u32, d: u32) -> f32 {
  let width = params.K * params.D;
  let column = head * params.D + d;
  let block = t / params.block;
  if (block < (params.position + token) / params.block) {
    let at = block * width + column;
    return decode(codeAt(t * width + column), Neuron(scale[at], zero[at]));
  }
  if (t >= params.position) { return k[(t - params.position) * width + column]; }
  return openKeys[t % params.block * width + column];
}
`,
);

const context = (
  name: string,
  cache: Shader['bindings'],
  params: readonly string[],
  needs: readonly Part[],
  values: string,
  code: string,
): Shader => ({
  name,
  lanes: 128,
  bindings: { scores: 'read array<f32>', ...cache, y: 'write array<f32>' },
  params: ['H', 'K', 'D', 'position', 'total', 'firstToken', 'window', ...params],
  needs: [floats, seen, ...needs],
  code: /* wgsl */ `
// y[n,h] = softmax over the t that token n sees of scores[n,h], times value[t, floor(h K / H)]; tokens n from firstToken on.
// scores [tokens, H, total], ${values}, y [N, H, D].
// One group a token and query head; LANES positions at a time, a lane every LANES-th channel.
// Float32 products and sums along t: one order, however many tokens there are.
// Oracle: attendToken of the reference backend.
const CHANNELS = ${MOST_CHANNELS}u / LANES;
var<workgroup> weights: array<f32, LANES>;
${code}
fn run(group: u32, lane: u32) {
  let token = params.firstToken + group / params.H;
  let h = group % params.H;
  let head = h * params.K / params.H;
  let at = group * params.total;
  let count = params.position + token + 1u;
  var most = -3.0e38;
  let first = firstSeen(token);
  for (var t = first + lane; t < count; t += LANES) { most = max(most, scores[at + t]); }
  let largest = largestOfLanes(most, lane);
  var part = 0.0;
  var sums = array<f32, CHANNELS>();
  for (var start = first; start < count; start += LANES) {
    workgroupBarrier();
    weights[lane] = 0.0;
    if (start + lane < count) { weights[lane] = exp(scores[at + start + lane] - largest); }
    part += weights[lane];
    workgroupBarrier();
    let positions = min(LANES, count - start);
    for (var i = 0u; i < CHANNELS; i++) {
      let d = lane + i * LANES;
      if (d >= params.D) { break; }
      for (var j = 0u; j < positions; j++) { sums[i] += weights[j] * valueAt(start + j, head, d); }
    }
  }
  let total = sumOfLanes(part, lane);
  for (var i = 0u; i < CHANNELS; i++) {
    let d = lane + i * LANES;
    if (d < params.D) { y[(token * params.H + h) * params.D + d] = sums[i] / total; }
  }
}
`,
});

export const contextFloat = context(
  'context_f32',
  { values: 'read array<f32>' },
  [],
  [],
  'values [P, K, D]',
  /* wgsl */ `
fn valueAt(t: u32, head: u32, d: u32) -> f32 { return values[(t * params.K + head) * params.D + d]; }
`,
);
export const contextCodes = context(
  'context_gif_f32',
  coded,
  ['S', ...GIF_PARAMS],
  [gif],
  'codes [P, K, D], scale, zero [P, K, S], classes [2, K, D]',
  tokenCode('params.K * params.D'),
);
