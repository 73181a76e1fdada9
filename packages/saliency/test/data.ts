import type { HostTensor } from '@spikellm/backend';

/** A seeded generator of uniform numbers in [-1, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 8) * 2 ** -23 - 1;
  };
}

/** A float32 matrix on the host. */
export const matrix = (
  rows: number,
  columns: number,
  of: (row: number, column: number) => number,
): HostTensor => ({
  type: 'float32',
  dims: [rows, columns],
  data: Float32Array.from({ length: rows * columns }, (_, i) => of(Math.floor(i / columns), i % columns)),
});

/** A matrix as rows of float64. */
export function rowsOf({ data, dims: [rows, columns] }: HostTensor): number[][] {
  const all = Array.from(data as Float32Array);
  return Array.from({ length: rows }, (_, row) => all.slice(row * columns, (row + 1) * columns));
}

/** A number for each pair of `rows` and `columns`. */
export const table = (
  rows: number,
  columns: number,
  of: (row: number, column: number) => number,
): number[][] =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (__, column) => of(row, column)));

export const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Largest |a - b| over the largest |b|: the error of float32 sums in units of what they add up. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const differences = Array.from(b, (value, i) => Math.abs(a[i] - value));
  return Math.max(...differences) / Math.max(...Array.from(b, Math.abs));
}
