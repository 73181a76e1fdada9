import { input, kernel, state, type Dims } from '../kernel.ts';
import { EXACT, F32_SUM } from '../tolerance.ts';
import { attention, checkHeads } from './float.ts';

/** Kernels that gather what calibration needs to know of activations. Each adds to a running state. */
export const statisticsKernels = {
  column_absmax_f32: kernel({
    formula: 'largest[c] = max(largest[c], max_n |x[n,c]|)',
    source: 'activation scales of SmoothQuant, arXiv 2211.10438',
    operands: { x: input('float32', ['N', 'C']), largest: state('float32', ['C']) },
    attributes: {},
    scalars: [],
    tolerance: EXACT,
  }),
  column_dot_f32: kernel({
    formula: 'sum[c] += sum_n a[n,c] b[n,c]',
    source: 'channel sums',
    operands: {
      a: input('float32', ['N', 'C']),
      b: input('float32', ['N', 'C']),
      sum: state('float32', ['C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  channel_saliency_f32: kernel({
    formula: 'score[c] += sum_n x[n,c] ((x W^T) W)[n,c]',
    source: 'activation saliency of Optimal Brain Spiking, arXiv 2407.04752, times the number of tokens',
    operands: {
      x: input('float32', ['N', 'C']),
      weight: input('float32', ['O', 'C']),
      score: state('float32', ['C']),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  kv_saliency_f32: kernel({
    formula: `with P = the probabilities of attend_f32 per query head and k, v repeated over the query heads:
keyScore[h,d] += sum_n k[n,d] ((q^T q) k^T)[d,n];  valueScore[h,d] += sum_n v[n,d] ((P^T P) v)[n,d]`,
    source:
      'KV saliency of Optimal Brain Spiking, arXiv 2407.04752, times the number of tokens; q and k after RoPE',
    operands: {
      q: input('float32', ['N', 'H*D']),
      k: input('float32', ['N', 'K*D']),
      v: input('float32', ['N', 'K*D']),
      keyScore: state('float32', ['H*D']),
      valueScore: state('float32', ['H*D']),
    },
    attributes: attention,
    scalars: [],
    tolerance: F32_SUM,
    check: (dims: Dims) => checkHeads(dims),
  }),
} as const;
