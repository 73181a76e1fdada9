import { input, kernel, output, type Violation, type Dims } from '../kernel.ts';
import { F32_ELEMENT, F32_SUM } from '../tolerance.ts';
import { bound, count, either } from './domains.ts';

const scores = ['N', 'E'] as const;
const matrix = ['N', 'C'] as const;
const routing = { top: count, renormalised: either };
const column = { column: bound };
const checkColumn = ({ E, column: at }: Dims): Violation | undefined =>
  at < E ? undefined : { expected: `a column from 0 to ${E - 1}`, received: String(at) };

/** Experts: which of them a token goes to, and what each of them counts. */
export const routingKernels = {
  route_f32: kernel({
    formula: `K = the top largest of x[n], the first of equals, all where there are no more; y[n,e] = p[e] for e in K, else 0, p = softmax(x[n]) over all,
or over K alone where it is renormalised`,
    source: 'routing of experts, arXiv 2401.04088',
    operands: { x: input('float32', scores), y: output('float32', scores) },
    attributes: routing,
    scalars: [],
    tolerance: F32_SUM,
  }),
  route_backward_f32: kernel({
    formula:
      'dx[n,e] = p[e] (m[e] dy[n,e] - sum over K of p dy[n]), m = 1 in K, else 0; K and p as in route_f32, p = 0 outside K where it is renormalised',
    source: 'gradient of route_f32, the choice as it is',
    operands: { x: input('float32', scores), dy: input('float32', scores), dx: output('float32', scores) },
    attributes: routing,
    scalars: [],
    tolerance: F32_SUM,
  }),
  weigh_f32: kernel({
    formula: 'y[n,c] = x[n,c] by[n,column]',
    source: 'the part of an expert in what a token gets',
    operands: {
      x: input('float32', matrix),
      by: input('float32', scores),
      y: output('float32', matrix),
    },
    attributes: column,
    scalars: [],
    tolerance: F32_ELEMENT,
    check: checkColumn,
  }),
  weigh_backward_f32: kernel({
    formula: 'dx[n,c] = dy[n,c] by[n,column]; dby[n,column] = sum_c x[n,c] dy[n,c], 0 in other columns',
    source: 'gradient of weigh_f32',
    operands: {
      x: input('float32', matrix),
      by: input('float32', scores),
      dy: input('float32', matrix),
      dx: output('float32', matrix),
      dby: output('float32', scores),
    },
    attributes: column,
    scalars: [],
    tolerance: F32_SUM,
    check: checkColumn,
  }),
} as const;
