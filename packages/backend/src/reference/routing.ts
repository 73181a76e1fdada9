/** Experts: which of them a token goes to, and what each of them counts. */
import type { Dims } from '../kernel.ts';
import type { F32 } from './kernel.ts';

interface Routing {
  readonly top: number;
  readonly renormalised: boolean;
}

/** Which of a row are kept, and the probability of each. */
function shares(row: F32, { top, renormalised }: Routing): { kept: boolean[]; share: number[] } {
  const order = Array.from(row.keys()).toSorted((a, b) => row[b] - row[a] || a - b);
  const best = new Set(order.slice(0, top));
  const kept = Array.from(row, (_, e) => best.has(e));
  const largest = row[order[0]];
  const powers = Array.from(row, (x, e) => (renormalised && !kept[e] ? 0 : Math.exp(x - largest)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return { kept, share: powers.map((power) => power / sum) };
}

/** The probabilities of the largest, 0 for the others. */
export function route({ x, y }: { x: F32; y: F32 }, { N, E }: Dims, routing: Routing): void {
  for (let n = 0; n < N; n++) {
    const { kept, share } = shares(x.subarray(n * E, (n + 1) * E), routing);
    for (let e = 0; e < E; e++) y[n * E + e] = kept[e] ? share[e] : 0;
  }
}

/** Gradient of `route`. */
export function routeBackward(
  { x, dy, dx }: { x: F32; dy: F32; dx: F32 },
  { N, E }: Dims,
  routing: Routing,
): void {
  for (let n = 0; n < N; n++) {
    const { kept, share } = shares(x.subarray(n * E, (n + 1) * E), routing);
    const own = share.map((_, e) => (kept[e] ? dy[n * E + e] : 0));
    const mean = share.reduce((sum, p, e) => sum + p * own[e], 0);
    for (let e = 0; e < E; e++) dx[n * E + e] = share[e] * (own[e] - mean);
  }
}

interface Column {
  readonly column: number;
}

/** y[n] = x[n] by[n, column]. */
export function weigh({ x, by, y }: { x: F32; by: F32; y: F32 }, { C, E }: Dims, { column }: Column): void {
  for (let i = 0; i < y.length; i++) y[i] = x[i] * by[Math.floor(i / C) * E + column];
}

/** Gradient of `weigh`. */
export function weighBackward(
  { x, by, dy, dx, dby }: { x: F32; by: F32; dy: F32; dx: F32; dby: F32 },
  { N, C, E }: Dims,
  { column }: Column,
): void {
  weigh({ x: dy, by, y: dx }, { C, E }, { column });
  dby.fill(0);
  for (let n = 0; n < N; n++) {
    let sum = 0;
    for (let i = n * C; i < (n + 1) * C; i++) sum += x[i] * dy[i];
    dby[n * E + column] = sum;
  }
}
