/**
 * What a formula of the kernel table looks like when it is written down element by element, in float64, with no thought
 * of speed. These share no code with the reference backend, so both must be wrong alike for a mistake to pass.
 */
import type { Dims } from '@spikellm/backend';

export type Numbers = ArrayLike<number>;
export type Operands = Readonly<Record<string, Numbers>>;

/** All outputs and states after the call, from the operands before it. */
export type Formula = (
  operands: Operands,
  dims: Dims,
  attributes: never,
  scalars: Dims,
) => Readonly<Record<string, Numbers>>;

/** The sum of f(0) .. f(count - 1). */
export function sum(count: number, f: (index: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += f(i);
  return total;
}

/** The row-major matrix of f(row, column). */
export const matrix = (rows: number, columns: number, f: (row: number, column: number) => number): number[] =>
  Array.from({ length: rows * columns }, (_, i) => f(Math.floor(i / columns), i % columns));

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
