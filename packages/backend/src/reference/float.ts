/** Float kernels of the reference backend: sums in float64, results in float32. */
import type { Dims } from '../kernel.ts';
import { SpikeError } from '../errors.ts';
import { widenFloat16 } from '../float16.ts';
import type { F32, I32 } from './kernel.ts';
import { matmulTransposed, transposed } from './matmul.ts';

interface Rows {
  readonly x: F32;
  readonly y: F32;
}

/** y[n] = table[ids[n]]. Errors: INVALID_ARGUMENT for an id outside the table. */
export function embedding({ ids, table, y }: { ids: I32; table: F32; y: F32 }, { V, C }: Dims): void {
  ids.forEach((id, n) => {
    checkId('embedding_f32', id, V);
    y.set(table.subarray(id * C, (id + 1) * C), n * C);
  });
}

/** embedding_half_f32: the row, widened. */
export function embeddingHalf(
  { ids, table, y }: { ids: I32; table: Uint16Array; y: F32 },
  { V, C }: Dims,
): void {
  ids.forEach((id, n) => {
    checkId('embedding_half_f32', id, V);
    y.set(widenFloat16(table.subarray(id * C, (id + 1) * C)), n * C);
  });
}

export function checkId(where: string, id: number, V: number): void {
  if (id >= 0 && id < V) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `token ids from 0 to ${V - 1}`,
    received: String(id),
  });
}

/** y = a + b. */
export function add({ a, b, y }: { a: F32; b: F32; y: F32 }): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i] + b[i];
}

/** y = x / sqrt(mean x^2 + eps) * weight, C channels at a time, each of the three results rounded to float32. */
export function rmsnorm(
  { x, weight, y }: Rows & { weight: F32 },
  { N, H, C }: Dims,
  { eps }: { eps: number },
): void {
  for (let n = 0; n < N * H; n++) {
    let squares = 0;
    for (let c = 0; c < C; c++) squares += x[n * C + c] ** 2;
    const inverse = Math.fround(1 / Math.sqrt(squares / C + eps));
    for (let c = 0; c < C; c++) y[n * C + c] = Math.fround(x[n * C + c] * inverse) * weight[c];
  }
}

/** y = x W^T + bias. */
export function linear({ x, weight, bias, y }: Rows & { weight: F32; bias?: F32 }, { N, O, C }: Dims): void {
  matmulTransposed(x, weight, y, N, O, C);
  if (bias) addBias(y, bias);
}

/** linear_half_f32: as `linear`, the weights widened. */
export function linearHalf(
  { weight, ...operands }: Rows & { weight: Uint16Array; bias?: F32 },
  dims: Dims,
): void {
  linear({ ...operands, weight: widenFloat16(weight) }, dims);
}

/** Adds bias[o] to each row of y. */
export function addBias(y: F32, bias: F32): void {
  for (let i = 0; i < y.length; i++) y[i] += bias[i % bias.length];
}

/** y = a b. */
export function matmul({ a, b, y }: { a: F32; b: F32; y: F32 }, { N, O, C }: Dims): void {
  matmulTransposed(a, transposed(b, O, C), y, N, C, O);
}

/** y = a^T b. */
export function matmulTn({ a, b, y }: { a: F32; b: F32; y: F32 }, { N, O, C }: Dims): void {
  matmulTransposed(transposed(a, N, C), transposed(b, N, O), y, C, O, N);
}

/** Rotates the halves of the first 2R channels of each head by the angle of its position. */
export function rope(
  { x, cos, sin, y }: Rows & { cos: F32; sin: F32 },
  { N, H, D, R }: Dims,
  _: unknown,
  { position }: Dims,
): void {
  for (let n = 0; n < N; n++) {
    for (let h = 0; h < H; h++) {
      const head = (n * H + h) * D;
      for (let i = head + 2 * R; i < head + D; i++) y[i] = x[i];
      for (let i = 0; i < R; i++) {
        const c = cos[(position + n) * R + i];
        const s = sin[(position + n) * R + i];
        const at = head + i;
        const a = x[at];
        const b = x[at + R];
        y[at] = a * c - b * s;
        y[at + R] = b * c + a * s;
      }
    }
  }
}

/** y[n] = log sum exp logits[n] - logits[n, target]. Errors: INVALID_ARGUMENT for a target outside the vocabulary. */
export function crossEntropy(
  { logits, targets, y }: { logits: F32; targets: I32; y: F32 },
  { N, V }: Dims,
): void {
  for (let n = 0; n < N; n++) {
    checkId('cross_entropy_f32', targets[n], V);
    const row = logits.subarray(n * V, (n + 1) * V);
    let largest = -Infinity;
    for (let v = 0; v < V; v++) if (row[v] > largest) largest = row[v];
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(row[v] - largest);
    y[n] = Math.log(sum) + largest - row[targets[n]];
  }
}
