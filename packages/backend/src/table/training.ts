import { input, kernel, optional, output, state, type Dims } from '../kernel.ts';
import { EXACT, F32_ELEMENT, F32_SUM } from '../tolerance.ts';
import { count, positive, trainedBits } from './domains.ts';
import { attention, checkHeads } from './float.ts';
import { classDims, gif, stepsOf, type Classes } from './spiking.ts';

/** Softmax times a difference of two sums: what cancels in it follows the size of the terms. */
const ATTENTION_GRADIENT = { absolute: 1e-7, relative: 2e-6, ofLargest: 2e-5 };

const windowInputs = {
  q: input('float32', ['N', 'H*D']),
  k: input('float32', ['N', 'K*D']),
  v: input('float32', ['N', 'K*D']),
  /** Keys of earlier blocks as they are seen; `k` where it is absent. */
  closed: optional(input('float32', ['N', 'K*D'])),
};
const roundTripInputs = {
  x: input('float32', ['N', 'H*D']),
  steps: stepsOf('H*D'),
};
const weightInputs = {
  weight: input('float32', ['O', 'C']),
  columns: optional(input('float32', ['C'])),
  rows: optional(input('float32', ['O'])),
  upper: optional(input('float32', ['O'])),
  lower: optional(input('float32', ['O'])),
};
const matrix = ['N', 'C'] as const;

/**
 * Kernels of block-wise training that inference does without: forward passes over a whole window, and gradients. `dy` is
 * the gradient of the loss with respect to `y`, and so on. Optional gradients, of what is trained in some runs only, are
 * added to what is there.
 */
export const trainingKernels = {
  rmsnorm_backward_f32: kernel({
    formula: `for each group h of C channels, r = 1 / sqrt(mean_c x[n,h,c]^2 + eps), g = dy weight:
dx = r (g - x r^2 mean_c(g x)); dweight[c] += sum_n,h dy[n,h,c] x[n,h,c] r[n,h]`,
    source: 'gradient of rmsnorm_f32',
    operands: {
      weight: input('float32', ['C']),
      x: input('float32', ['N', 'H*C']),
      dy: input('float32', ['N', 'H*C']),
      dx: output('float32', ['N', 'H*C']),
      dweight: optional(state('float32', ['C'])),
    },
    attributes: { eps: positive, H: count },
    scalars: [],
    tolerance: F32_SUM,
  }),
  layernorm_f32: kernel({
    formula: 'y[n,c] = (x[n,c] - mean_c x) / sqrt(mean_c (x - mean_c x)^2 + eps) * weight[c] + bias[c]',
    source: 'LayerNorm, arXiv 1607.06450',
    operands: {
      x: input('float32', matrix),
      weight: input('float32', ['C']),
      bias: optional(input('float32', ['C'])),
      y: output('float32', matrix),
    },
    attributes: { eps: positive },
    scalars: [],
    tolerance: F32_SUM,
  }),
  layernorm_backward_f32: kernel({
    formula: `r = 1 / sqrt(variance + eps), h = (x - mean) r, g = dy weight:
dx = r (g - mean_c g - h mean_c(g h)); dweight[c] += sum_n dy[n,c] h[n,c]; dbias[c] += sum_n dy[n,c]`,
    source: 'gradient of layernorm_f32',
    operands: {
      x: input('float32', matrix),
      weight: input('float32', ['C']),
      dy: input('float32', matrix),
      dx: output('float32', matrix),
      dweight: optional(state('float32', ['C'])),
      dbias: optional(state('float32', ['C'])),
    },
    attributes: { eps: positive },
    scalars: [],
    tolerance: F32_SUM,
  }),
  attend_window_f32: kernel({
    formula: `y[n] = softmax_t(cap(q[n] . key[t] scale)) v[t] over the t <= n, with window w > 0 those with n - t < w; cap as in attend_f32;
key[t] = closed[t] where floor(t / block) < floor(n / block), else k[t]; query head h reads key/value head floor(h K / H)`,
    source: 'causal attention over one window without a cache; with `closed`, what attend_gif_block_f32 sees',
    operands: { ...windowInputs, y: output('float32', ['N', 'H*D']) },
    attributes: { ...attention, block: count },
    scalars: [],
    tolerance: F32_SUM,
    check: (dims: Dims) => checkHeads(dims),
  }),
  attend_window_backward_f32: kernel({
    formula: `P the probabilities of attend_window_f32, dP[n,t] = dy[n] . v[t], dS = P (dP - sum_t P dP) (1 - (s / softcap)^2) scale with s the score after cap, without its factor for softcap 0:
dq[n] = sum_t dS[n,t] key[t]; dv[t] = sum_n P[n,t] dy[n]; dk[t] = sum dS[n,t] q[n] over the n that see k[t], dclosed[t] += that over the n that see closed[t]; query heads of one key/value head are summed`,
    source: 'gradient of attend_window_f32',
    operands: {
      ...windowInputs,
      dy: input('float32', ['N', 'H*D']),
      dq: output('float32', ['N', 'H*D']),
      dk: output('float32', ['N', 'K*D']),
      dv: output('float32', ['N', 'K*D']),
      dclosed: optional(state('float32', ['N', 'K*D'])),
    },
    attributes: { ...attention, block: count },
    scalars: [],
    tolerance: ATTENTION_GRADIENT,
    check: (dims: Dims) => checkHeads(dims),
  }),
  gif_round_trip_f32: kernel({
    formula: `groups of D channels and \`block\` tokens, the last block of the tokens that are left: each channel through gif_encode_f32 and back, over the range of its group: y = (code - zero) scale`,
    source:
      'what a spike train carries of x. Linear inputs: H = 1, block = 1; heads of q, k, v: block = 1; k per channel: D = 1 and blocks of tokens, arXiv 2407.04752',
    operands: { ...roundTripInputs, y: output('float32', ['N', 'H*D']) },
    attributes: { ...gif, H: count, D: count, block: count },
    scalars: [],
    tolerance: { absolute: 0, relative: 2e-7, ofLargest: 0 },
    dims: (attributes: Classes) => classDims(attributes),
  }),
  gif_round_trip_backward_f32: kernel({
    formula: `straight-through, u = x / S, in = 0 <= rint(u) + zero <= maxCode: dx = dy in, and through the scales of the group,
dS(T) = sum over its channels of T steps of dy ((code - zero) - in u) where S(T) is not clamped and the group is not constant:
the largest x of the group share sum_T dS(T) / maxCode(T) equally, the smallest the negative of it; zero points have no gradient`,
    source: 'straight-through gradient of the research code of arXiv 2407.04752',
    operands: {
      ...roundTripInputs,
      dy: input('float32', ['N', 'H*D']),
      dx: output('float32', ['N', 'H*D']),
    },
    attributes: { ...gif, H: count, D: count, block: count },
    scalars: [],
    tolerance: F32_SUM,
    dims: (attributes: Classes) => classDims(attributes),
  }),
  weight_round_trip_f32: kernel({
    formula: `w = weight columns[c] rows[o]; per row max = sigmoid(upper) max_c w, min = sigmoid(lower) min_c w, unclipped where absent, Q = 2^weightBits - 1:
S = clamp((max - min) / Q, 1e-5, 1e4), zero = rint(clamp(-min / S, -1e4, 1e4)), y = (clamp(rint(w / S) + zero, 0, Q) - zero) S, all in float32; a range of one number c is kept: S = |c|, zero = 1 for c < 0 else 0, S = 1 for c = 0; y = w for 16 bits`,
    source: 'learnable equivalent transformation and weight clipping, OmniQuant, arXiv 2308.13137',
    operands: { ...weightInputs, y: output('float32', ['O', 'C']) },
    attributes: { weightBits: trainedBits },
    scalars: [],
    tolerance: { absolute: 0, relative: 2e-7, ofLargest: 0 },
  }),
  weight_round_trip_backward_f32: kernel({
    formula: `straight-through as gif_round_trip_backward_f32 with the range after clipping: dS = sum_c dy ((code - zero) - in w / S),
dupper += sigmoid'(upper) max_c w dS / Q, dlower -= sigmoid'(lower) min_c w dS / Q, each where it is given; the largest w of a row share sigmoid(upper) dS / Q, the smallest -sigmoid(lower) dS / Q; with that dw:
dweight += dw columns rows; dcolumns[c] += sum_o dw weight rows; drows[o] += sum_c dw weight columns`,
    source: 'gradient of weight_round_trip_f32; the zero point has none',
    operands: {
      ...weightInputs,
      dy: input('float32', ['O', 'C']),
      dweight: optional(state('float32', ['O', 'C'])),
      dcolumns: optional(state('float32', ['C'])),
      drows: optional(state('float32', ['O'])),
      dupper: optional(state('float32', ['O'])),
      dlower: optional(state('float32', ['O'])),
    },
    attributes: { weightBits: trainedBits },
    scalars: [],
    tolerance: F32_SUM,
  }),
  squared_error_f32: kernel({
    formula: 'y[n] = mean_c (x[n,c] - target[n,c])^2',
    source: 'mean squared error of block-wise training, OmniQuant, arXiv 2308.13137',
    operands: {
      x: input('float32', matrix),
      target: input('float32', matrix),
      y: output('float32', ['N']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  squared_error_backward_f32: kernel({
    formula: 'dx[n,c] = 2 dy[n] (x[n,c] - target[n,c]) / C',
    source: 'gradient of squared_error_f32',
    operands: {
      x: input('float32', matrix),
      target: input('float32', matrix),
      dy: input('float32', ['N']),
      dx: output('float32', matrix),
    },
    attributes: {},
    scalars: [],
    // The difference is rounded before it is multiplied.
    tolerance: { ...F32_ELEMENT, ofLargest: 2e-7 },
  }),
  cross_entropy_backward_f32: kernel({
    formula: 'dlogits[n,v] = dy[n] (exp logits[n,v] / sum_v exp logits[n,v] - [v = targets[n]])',
    source: 'gradient of cross_entropy_f32',
    operands: {
      logits: input('float32', ['N', 'V']),
      targets: input('int32', ['N']),
      dy: input('float32', ['N']),
      dlogits: output('float32', ['N', 'V']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  embedding_backward_f32: kernel({
    formula: 'dtable[v] += sum over the n with ids[n] = v of dy[n]',
    source: 'gradient of embedding_f32',
    operands: {
      ids: input('int32', ['N']),
      dy: input('float32', matrix),
      dtable: state('float32', ['V', 'C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  column_sum_f32: kernel({
    formula: 'sum[c] += sum_n x[n,c]',
    source: 'gradient of a bias',
    operands: { x: input('float32', matrix), sum: state('float32', ['C']) },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  divide_f32: kernel({
    formula: 'y[c] = a[c] / b[c]',
    source: 'a norm weight over its equivalent scale, OmniQuant, arXiv 2308.13137',
    operands: {
      a: input('float32', ['C']),
      divisor: input('float32', ['C']),
      y: output('float32', ['C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_ELEMENT,
  }),
  divide_backward_f32: kernel({
    formula: 'da[c] += dy[c] / divisor[c]; ddivisor[c] -= dy[c] a[c] / divisor[c]^2',
    source: 'gradient of divide_f32',
    operands: {
      a: input('float32', ['C']),
      divisor: input('float32', ['C']),
      dy: input('float32', ['C']),
      da: optional(state('float32', ['C'])),
      ddivisor: optional(state('float32', ['C'])),
    },
    attributes: {},
    scalars: [],
    tolerance: { ...F32_ELEMENT, ofLargest: 4e-7 },
  }),
  gather_f32: kernel({
    formula: 'y[n] = x[ids[n]]',
    source: 'one scale for all query heads that share a key/value head, or for a rotary pair',
    operands: {
      ids: input('int32', ['N']),
      x: input('float32', ['V']),
      y: output('float32', ['N']),
    },
    attributes: {},
    scalars: [],
    tolerance: EXACT,
  }),
  gather_backward_f32: kernel({
    formula: 'dx[v] += sum over the n with ids[n] = v of dy[n]',
    source: 'gradient of gather_f32',
    operands: {
      ids: input('int32', ['N']),
      dy: input('float32', ['N']),
      dx: state('float32', ['V']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
} as const;
