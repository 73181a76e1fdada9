import { range, sum, type Formula } from './formula.ts';

interface Routing {
  readonly top: number;
  readonly renormalised: boolean;
}

/** Whether fewer than `top` of a row come before an element: larger ones, and equal ones before it. */
const isKept = (row: readonly number[], e: number, top: number): boolean =>
  row.filter((x, other) => x > row[e] || (x === row[e] && other < e)).length < top;

const rowOf = (x: ArrayLike<number>, n: number, E: number): number[] => range(E).map((e) => x[n * E + e]);

/** The probability of each of a row, among all or among those that are kept. */
function probabilities(row: readonly number[], { top, renormalised }: Routing): number[] {
  const counts = row.map((_, e) => !renormalised || isKept(row, e, top));
  const largest = Math.max(...row);
  const powers = row.map((x, e) => (counts[e] ? Math.exp(x - largest) : 0));
  return powers.map((power) => power / sum(row.length, (e) => powers[e]));
}

const route: Formula = ({ x }, { N, E }, routing: Routing) => ({
  y: range(N).flatMap((n) => {
    const row = rowOf(x, n, E);
    const p = probabilities(row, routing);
    return row.map((_, e) => (isKept(row, e, routing.top) ? p[e] : 0));
  }),
});

/** The Jacobian of the softmax, row by column. */
const routeBackward: Formula = ({ x, dy }, { N, E }, routing: Routing) => ({
  dx: range(N).flatMap((n) => {
    const row = rowOf(x, n, E);
    const p = probabilities(row, routing);
    const kept = range(E).filter((e) => isKept(row, e, routing.top));
    return range(E).map((i) =>
      sum(kept.length, (k) => dy[n * E + kept[k]] * p[kept[k]] * (Number(kept[k] === i) - p[i])),
    );
  }),
});

interface Column {
  readonly column: number;
}

const weigh: Formula = ({ x, by }, { N, C, E }, { column }: Column) => ({
  y: range(N * C).map((i) => x[i] * by[Math.floor(i / C) * E + column]),
});

const weighBackward: Formula = ({ x, by, dy }, { N, C, E }, { column }: Column) => ({
  dx: range(N * C).map((i) => dy[i] * by[Math.floor(i / C) * E + column]),
  dby: range(N * E).map((i) =>
    i % E === column ? sum(C, (c) => x[Math.floor(i / E) * C + c] * dy[Math.floor(i / E) * C + c]) : 0,
  ),
});

export const routingFormulas = {
  route_f32: route,
  route_backward_f32: routeBackward,
  weigh_f32: weigh,
  weigh_backward_f32: weighBackward,
};
