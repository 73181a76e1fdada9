import type { Dims } from '../kernel.ts';
import type { F32 } from './kernel.ts';

/** The largest power of two that divides a size. */
export const powerOfTwoIn = (size: number): number => size & -size;

/**
 * y[n] = x[n] T, T = H (x) M: H the Walsh-Hadamard matrix of the power of two in C, M the Hartley matrix of the odd rest
 * m, cas(2 pi i j / m) with cas = cos + sin; all divided by sqrt(C).
 */
export function hadamard({ x, y }: { x: F32; y: F32 }, { N, C }: Dims): void {
  const powers = powerOfTwoIn(C);
  const m = C / powers;
  const cas = Float64Array.from({ length: m }, (_, i) => {
    const angle = (2 * Math.PI * i) / m;
    return (Math.cos(angle) + Math.sin(angle)) / Math.sqrt(C);
  });
  const row = new Float64Array(C);
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) row[c] = x[n * C + c];
    for (let half = m; half < C; half *= 2) butterflies(row, half);
    for (let from = 0; from < C; from += m) {
      for (let i = 0; i < m; i++) {
        let sum = 0;
        for (let j = 0; j < m; j++) sum += row[from + j] * cas[(i * j) % m];
        y[n * C + from + i] = sum;
      }
    }
  }
}

/** (a, b) to (a + b, a - b) for all pairs of elements that are `half` apart in blocks of twice that. */
function butterflies(row: Float64Array, half: number): void {
  for (let block = 0; block < row.length; block += 2 * half) {
    for (let i = block; i < block + half; i++) {
      const [a, b] = [row[i], row[i + half]];
      row[i] = a + b;
      row[i + half] = a - b;
    }
  }
}
