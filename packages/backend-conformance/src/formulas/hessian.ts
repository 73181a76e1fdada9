import { matrix, range, sum, type Formula } from './formula.ts';

const gram: Formula = ({ x, hessian }, { N, C }) => ({
  hessian: matrix(C, C, (c, d) => hessian[c * C + d] + sum(N, (n) => x[n * C + c] * x[n * C + d])),
});

/** Row by row from the last, each row from its diagonal to the right. */
const cholesky: Formula = ({ hessian, damping }, { C }) => {
  const factor = range(C * C).map(() => 0);
  const dot = (i: number, j: number): number => sum(C, (k) => factor[i * C + k] * factor[j * C + k]);
  for (const j of range(C).toReversed()) {
    const whole = hessian[j * C + j] + damping[j];
    const left = whole - dot(j, j);
    if (!(left > 1e-7 * whole)) return { factor: range(C * C).map(() => 0), pivot: [j] };
    for (const i of range(j)) factor[i * C + j] = (hessian[i * C + j] - dot(i, j)) / Math.sqrt(left);
    factor[j * C + j] = Math.sqrt(left);
  }
  return { factor, pivot: [-1] };
};

export const hessianFormulas = { gram_f32: gram, cholesky_f32: cholesky };
