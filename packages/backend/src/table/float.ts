import { input, kernel, optional, output, state, type Violation, type Dims } from '../kernel.ts';
import { EXACT, F32_ELEMENT, F32_SUM } from '../tolerance.ts';
import { bound, count, notNegative, positive } from './domains.ts';

/** The dims and the check that every attention kernel shares. */
export const heads = { H: count, K: count, D: count };
/**
 * What every attention kernel takes: scores are q . key scale, with 1 / sqrt(D) for the usual scale. With a `window` w > 0
 * the query at position i sees the keys at positions j with i - j < w alone. With a `softcap` c > 0 a score s becomes
 * c tanh(s / c) before the softmax.
 */
export const attention = { ...heads, scale: positive, window: bound, softcap: notNegative };
export const checkHeads = ({ H, K }: Dims): Violation | undefined =>
  H % K === 0
    ? undefined
    : { expected: 'query heads H to be a multiple of key/value heads K', received: `${H} and ${K}` };
const checkRoom = ({ N, P }: Dims, { position }: Dims, what: string): Violation | undefined =>
  position + N <= P
    ? undefined
    : { expected: `position + N to be at most the ${P} ${what}`, received: `${position} + ${N}` };
export const checkCached = (dims: Dims, _: never, scalars: Dims): Violation | undefined =>
  checkHeads(dims) ?? checkRoom(dims, scalars, 'positions of the cache');

/** Kernels on float32 activations: what a decoder computes where nothing spikes. */
export const floatKernels = {
  embedding_f32: kernel({
    formula: 'y[n] = table[ids[n]]',
    source: 'token embedding',
    operands: {
      ids: input('int32', ['N']),
      table: input('float32', ['V', 'C']),
      y: output('float32', ['N', 'C']),
    },
    attributes: {},
    scalars: [],
    tolerance: EXACT,
  }),
  embedding_half_f32: kernel({
    formula: 'y[n] = table[ids[n]], the table in half precision',
    source: 'token embedding',
    operands: {
      ids: input('int32', ['N']),
      table: input('float16', ['V', 'C']),
      y: output('float32', ['N', 'C']),
    },
    attributes: {},
    scalars: [],
    tolerance: EXACT,
  }),
  add_f32: kernel({
    formula: 'y = a + b',
    source: 'residual stream',
    operands: {
      a: input('float32', ['N', 'C']),
      b: input('float32', ['N', 'C']),
      y: output('float32', ['N', 'C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_ELEMENT,
  }),
  rmsnorm_f32: kernel({
    formula: `y[n,h,c] = x[n,h,c] r[n,h] weight[c], r[n,h] = 1 / sqrt(mean_c x[n,h,c]^2 + eps): each of the H groups of C channels by itself;
r and both products are rounded to float32, so that two backends that sum in float64 give the same bits to what encodes y`,
    source: 'RMSNorm, arXiv 1910.07467; of whole rows with H = 1, of heads as in Qwen3, arXiv 2505.09388',
    operands: {
      weight: input('float32', ['C']),
      x: input('float32', ['N', 'H*C']),
      y: output('float32', ['N', 'H*C']),
    },
    attributes: { eps: positive, H: count },
    scalars: [],
    tolerance: F32_ELEMENT,
  }),
  linear_f32: kernel({
    formula: 'y[n,o] = sum_c x[n,c] weight[o,c] + bias[o]',
    source: 'linear layer',
    operands: {
      x: input('float32', ['N', 'C']),
      weight: input('float32', ['O', 'C']),
      bias: optional(input('float32', ['O'])),
      y: output('float32', ['N', 'O']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  linear_half_f32: kernel({
    formula: 'y[n,o] = sum_c x[n,c] weight[o,c] + bias[o], the weights in half precision, the sum in single',
    source: 'linear layer',
    operands: {
      x: input('float32', ['N', 'C']),
      weight: input('float16', ['O', 'C']),
      bias: optional(input('float32', ['O'])),
      y: output('float32', ['N', 'O']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  matmul_f32: kernel({
    formula: 'y[n,c] = sum_o a[n,o] b[o,c]',
    source: 'matrix product',
    operands: {
      a: input('float32', ['N', 'O']),
      b: input('float32', ['O', 'C']),
      y: output('float32', ['N', 'C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  matmul_tn_f32: kernel({
    formula: 'y[c,o] = sum_n a[n,c] b[n,o]',
    source: 'matrix product with a transposed: the gradient of a weight, the Hessian x^T x of a linear layer',
    operands: {
      a: input('float32', ['N', 'C']),
      b: input('float32', ['N', 'O']),
      y: output('float32', ['C', 'O']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  rope_f32: kernel({
    formula: `halves (a, b) of the first 2R channels of each head at p = position + n: (a cos[p] - b sin[p], b cos[p] + a sin[p]);
the pair of channel i < R is i + R; the other D - 2R channels are copied`,
    source:
      'rotary embedding, arXiv 2104.09864, in the half-split order of Hugging Face checkpoints; partial as in GPT-NeoX, arXiv 2204.06745',
    operands: {
      x: input('float32', ['N', 'H*D']),
      cos: input('float32', ['P', 'R']),
      sin: input('float32', ['P', 'R']),
      y: output('float32', ['N', 'H*D']),
    },
    attributes: { H: count, D: count },
    scalars: ['position'],
    // Two products that may cancel.
    tolerance: { ...F32_ELEMENT, ofLargest: 4e-7 },
    check: (dims: Dims, _: never, scalars: Dims) =>
      2 * dims.R <= dims.D
        ? checkRoom(dims, scalars, 'rows of the tables')
        : { expected: `tables of at most D/2 = ${dims.D / 2} columns`, received: `${dims.R}` },
  }),
  hadamard_f32: kernel({
    formula: `y[n,c] = 1 / sqrt(C) sum over c' of (-1)^(bits that a and a' share) cas(2 pi i i' / m) x[n,c'], where m is the odd
part of C, c = a m + i, c' = a' m + i' and cas = cos + sin: a symmetric rotation that is its own inverse`,
    source:
      'Hadamard rotation of QuaRot, arXiv 2404.00456; for sizes that are no power of two its Kronecker product with a Hartley matrix',
    operands: { x: input('float32', ['N', 'C']), y: output('float32', ['N', 'C']) },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  attend_f32: kernel({
    formula: `for each token in order: append k, v to the caches; y = softmax(cap(q . keys scale)) values over the tokens so far, with window w > 0 the last w of them;
cap(s) = softcap tanh(s / softcap), s for softcap 0; query head h reads key/value head floor(h K / H)`,
    source:
      'causal attention with grouped queries, arXiv 2305.13245; sliding windows, arXiv 2310.06825; soft-capping, arXiv 2408.00118',
    operands: {
      q: input('float32', ['N', 'H*D']),
      k: input('float32', ['N', 'K*D']),
      v: input('float32', ['N', 'K*D']),
      keys: state('float32', ['P', 'K*D']),
      values: state('float32', ['P', 'K*D']),
      y: output('float32', ['N', 'H*D']),
    },
    attributes: attention,
    scalars: ['position'],
    tolerance: F32_SUM,
    check: checkCached,
  }),
  cross_entropy_f32: kernel({
    formula: 'y[n] = log sum_v exp logits[n,v] - logits[n, targets[n]]',
    source: 'negative log likelihood of the next token, natural logarithm',
    operands: {
      logits: input('float32', ['N', 'V']),
      targets: input('int32', ['N']),
      y: output('float32', ['N']),
    },
    attributes: {},
    scalars: [],
    tolerance: { absolute: 1e-6, relative: 4e-6, ofLargest: 2e-6 },
  }),
} as const;
