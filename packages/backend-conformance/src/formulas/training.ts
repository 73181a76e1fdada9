import { matrix, range, sum, type Formula, type Numbers, type Operands } from './formula.ts';

/** Each of `before` with what is added to it. */
const added = (before: Numbers, by: (index: number) => number): number[] =>
  range(before.length).map((i) => before[i] + by(i));
/** Those of the outputs that the case has. */
const present = (
  operands: Operands,
  outputs: Readonly<Record<string, (before: Numbers) => Numbers>>,
): Record<string, Numbers> =>
  Object.fromEntries(
    Object.entries(outputs).flatMap(([name, of]) =>
      operands[name] ? [[name, of(operands[name])] as const] : [],
    ),
  );

const delta = (i: number, j: number): number => (i === j ? 1 : 0);

/** Gradients of a norm y[c] = h[c] weight[c] from the h of each row and the derivative of h[j] by x[c]. */
const normBackward = (
  operands: Operands,
  { N, C }: { readonly N: number; readonly C: number },
  h: (n: number) => readonly number[],
  jacobian: (n: number, j: number, c: number) => number,
): Record<string, Numbers> => {
  const { weight, dy } = operands;
  const normed = range(N).map(h);
  return {
    dx: matrix(N, C, (n, c) => sum(C, (j) => dy[n * C + j] * weight[j] * jacobian(n, j, c))),
    ...present(operands, {
      dweight: (before) => added(before, (c) => sum(N, (n) => dy[n * C + c] * normed[n][c])),
      dbias: (before) => added(before, (c) => sum(N, (n) => dy[n * C + c])),
    }),
  };
};

const rmsnormBackward: Formula = (operands, { N: tokens, H, C }, { eps }: { eps: number }) => {
  const { x } = operands;
  const N = tokens * H;
  const r = range(N).map((n) => 1 / Math.sqrt(sum(C, (c) => x[n * C + c] ** 2) / C + eps));
  return normBackward(
    operands,
    { N, C },
    (n) => range(C).map((c) => x[n * C + c] * r[n]),
    (n, j, c) => r[n] * delta(j, c) - (x[n * C + j] * x[n * C + c] * r[n] ** 3) / C,
  );
};

/** Rows less their mean over their deviation, and 1 over the deviation. */
function normalised(x: Numbers, N: number, C: number, eps: number): { h: number[][]; r: number[] } {
  const rows = range(N).map((n) => range(C).map((c) => x[n * C + c]));
  const centred = rows.map((row) => row.map((value) => value - sum(C, (c) => row[c]) / C));
  const r = centred.map((row) => 1 / Math.sqrt(sum(C, (c) => row[c] ** 2) / C + eps));
  return { h: centred.map((row, n) => row.map((value) => value * r[n])), r };
}

const layernorm: Formula = ({ x, weight, bias }, { N, C }, { eps }: { eps: number }) => {
  const { h } = normalised(x, N, C, eps);
  return { y: matrix(N, C, (n, c) => h[n][c] * weight[c] + (bias?.[c] ?? 0)) };
};

const layernormBackward: Formula = (operands, { N, C }, { eps }: { eps: number }) => {
  const { h, r } = normalised(operands.x, N, C, eps);
  return normBackward(
    operands,
    { N, C },
    (n) => h[n],
    (n, j, c) => r[n] * (delta(j, c) - 1 / C - (h[n][j] * h[n][c]) / C),
  );
};

const squaredError: Formula = ({ x, target }, { N, C }) => ({
  y: range(N).map((n) => sum(C, (c) => (x[n * C + c] - target[n * C + c]) ** 2) / C),
});

const squaredErrorBackward: Formula = ({ x, target, dy }, { N, C }) => ({
  dx: matrix(N, C, (n, c) => (dy[n] * 2 * (x[n * C + c] - target[n * C + c])) / C),
});

const crossEntropyBackward: Formula = ({ logits, targets, dy }, { N, V }) => ({
  dlogits: matrix(N, V, (n, v) => {
    const probability = 1 / sum(V, (other) => Math.exp(logits[n * V + other] - logits[n * V + v]));
    return dy[n] * (probability - delta(v, targets[n]));
  }),
});

const embeddingBackward: Formula = ({ ids, dy, dtable }, { N, C }) => ({
  dtable: added(dtable, (i) => sum(N, (n) => delta(ids[n], Math.floor(i / C)) * dy[n * C + (i % C)])),
});

const columnSum: Formula = ({ x, sum: before }, { N, C }) => ({
  sum: added(before, (c) => sum(N, (n) => x[n * C + c])),
});

const divide: Formula = ({ a, divisor }, { C }) => ({ y: range(C).map((c) => a[c] / divisor[c]) });

const divideBackward: Formula = (operands) => {
  const { a, divisor, dy } = operands;
  return present(operands, {
    da: (before) => added(before, (c) => dy[c] / divisor[c]),
    ddivisor: (before) => added(before, (c) => (-dy[c] * a[c]) / divisor[c] ** 2),
  });
};

const gather: Formula = ({ ids, x }, { N }) => ({ y: range(N).map((n) => x[ids[n]]) });

const gatherBackward: Formula = ({ ids, dy, dx }, { N }) => ({
  dx: added(dx, (v) => sum(N, (n) => delta(ids[n], v) * dy[n])),
});

export const trainingFormulas = {
  rmsnorm_backward_f32: rmsnormBackward,
  layernorm_f32: layernorm,
  layernorm_backward_f32: layernormBackward,
  squared_error_f32: squaredError,
  squared_error_backward_f32: squaredErrorBackward,
  cross_entropy_backward_f32: crossEntropyBackward,
  embedding_backward_f32: embeddingBackward,
  column_sum_f32: columnSum,
  divide_f32: divide,
  divide_backward_f32: divideBackward,
  gather_f32: gather,
  gather_backward_f32: gatherBackward,
};
