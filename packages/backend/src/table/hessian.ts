import { input, kernel, output, state } from '../kernel.ts';
import { F32_SUM } from '../tolerance.ts';

/** Kernels of second-order quantisation of weights: what the inputs of a linear say of errors in its weights. */
export const hessianKernels = {
  gram_f32: kernel({
    formula: 'hessian[c,d] += sum_n x[n,c] x[n,d]',
    source:
      'the Hessian of the squared error of a linear layer, GPTQ, arXiv 2210.17323, times half the tokens',
    operands: { x: input('float32', ['N', 'C']), hessian: state('float32', ['C', 'C']) },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
  cholesky_f32: kernel({
    formula: `factor factor^T = hessian + diag(damping), factor upper triangular with 0 below its diagonal; columns are taken from
the last to the first, in float64, and the factor is rounded once. pivot = -1; or, where the square of a diagonal element
would not be above 1e-7 of the diagonal that it comes from, the column where that is so first, and factor = 0`,
    source:
      'Cholesky decomposition; the inverse of the factor is the Cholesky factor of the inverse Hessian in GPTQ, arXiv 2210.17323',
    operands: {
      hessian: input('float32', ['C', 'C']),
      damping: input('float32', ['C']),
      factor: output('float32', ['C', 'C']),
      pivot: output('int32', [() => 1]),
    },
    attributes: {},
    scalars: [],
    tolerance: F32_SUM,
  }),
} as const;
