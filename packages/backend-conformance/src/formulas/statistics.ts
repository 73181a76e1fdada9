import { matrix, range, sum, type Formula } from './formula.ts';

const columnAbsmax: Formula = ({ x, largest }, { N, C }) => ({
  largest: range(C).map((c) => Math.max(largest[c], ...range(N).map((n) => Math.abs(x[n * C + c])))),
});

const columnDot: Formula = ({ a, b, sum: before }, { N, C }) => ({
  sum: range(C).map((c) => before[c] + sum(N, (n) => a[n * C + c] * b[n * C + c])),
});

const channelSaliency: Formula = ({ x, weight, score }, { N, C, O }) => {
  const y = matrix(N, O, (n, o) => sum(C, (c) => x[n * C + c] * weight[o * C + c]));
  const added = range(C).map((c) =>
    sum(N, (n) => x[n * C + c] * sum(O, (o) => y[n * O + o] * weight[o * C + c])),
  );
  return { score: added.map((value, c) => score[c] + value) };
};

export const statisticsFormulas = {
  column_absmax_f32: columnAbsmax,
  column_dot_f32: columnDot,
  channel_saliency_f32: channelSaliency,
};
