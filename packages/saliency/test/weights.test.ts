/** Weight scores against brute force: a weight, or a column, is removed and what comes after it is solved again. */
import { createReferenceBackend, createRunner } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { columnScores, weightScores } from '../src/index.ts';
import { uniform } from './data.ts';

const [O, C, N] = [4, 8, 40];
const draw = uniform(3);
/** Columns that hang together, so that the ones after a removed one can make up for it. */
const x = Array.from({ length: N }, () => {
  const common = draw();
  return Array.from({ length: C }, () => draw() + common);
});
const weights = Float64Array.from({ length: O * C }, draw);
const hessian = Array.from({ length: C }, (_, i) =>
  Array.from({ length: C }, (__, j) => x.reduce((sum, row) => sum + row[i] * row[j], 0)),
);

async function pivots(): Promise<Float64Array> {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const tensor = (data: number[], dims: number[]) =>
    runner.upload({ type: 'float32', data: Float32Array.from(data), dims });
  const damping = tensor(Array<number>(C).fill(0), [C]);
  const { factor } = runner.run('cholesky_f32', { hessian: tensor(hessian.flat(), [C, C]), damping });
  const { data } = await backend.read(factor);
  return Float64Array.from({ length: C }, (_, j) => (data as Float32Array)[j * C + j]);
}

/** The solution of a linear system, by elimination. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  rows.forEach((row, i) => {
    for (let k = i + 1; k < rows.length; k++) {
      const factor = rows[k][i] / row[i];
      for (let j = i; j <= rows.length; j++) rows[k][j] -= factor * row[j];
    }
  });
  const result = Array<number>(rows.length).fill(0);
  for (let i = rows.length - 1; i >= 0; i--) {
    const rest = result.reduce((sum, value, j) => sum + (j > i ? rows[i][j] * value : 0), 0);
    result[i] = (rows[i][rows.length] - rest) / rows[i][i];
  }
  return result;
}

/** The least squared error of one output whose weight j is 0, columns before j as they were, later ones free. */
function errorWithout(w: number, j: number): number {
  const later = Array.from({ length: C - j - 1 }, (_, i) => j + 1 + i);
  const free = solve(
    later.map((a) => later.map((b) => hessian[a][b])),
    later.map((a) => -w * hessian[a][j]),
  );
  const error = (row: number[]): number =>
    w * row[j] + later.reduce((sum, a, i) => sum + free[i] * row[a], 0);
  return x.reduce((sum, row) => sum + error(row) ** 2, 0);
}

describe('weight saliency on 4 x 8', () => {
  it('is the squared error that removing a weight costs once later columns have made up for it', async () => {
    const scores = weightScores(weights, await pivots());
    weights.forEach((w, i) => {
      const cost = errorWithout(w, i % C);
      expect(Math.abs(scores[i] - cost)).toBeLessThan(1e-4 * cost);
    });
  });

  it('of a column is what removing it from all outputs costs', async () => {
    const scores = columnScores(weights, await pivots());
    scores.forEach((score, j) => {
      let cost = 0;
      for (let o = 0; o < O; o++) cost += errorWithout(weights[o * C + j], j);
      expect(Math.abs(score - cost)).toBeLessThan(1e-4 * cost);
    });
  });
});
