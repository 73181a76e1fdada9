/** Training kernels of the reference backend: sums in float64, results in float32. */
import type { Dims } from '../kernel.ts';
import { checkId } from './float.ts';
import type { F32, I32 } from './kernel.ts';

interface Eps {
  readonly eps: number;
}
interface NormGradient {
  readonly x: F32;
  readonly weight: F32;
  readonly dy: F32;
  readonly dx: F32;
  readonly dweight?: F32;
  readonly dbias?: F32;
}

/** Gradients of x / sqrt(mean x^2 + eps) * weight. */
export function rmsnormBackward(
  { x, weight, dy, dx, dweight }: NormGradient,
  { N, H, C }: Dims,
  { eps }: Eps,
): void {
  const sums = new Float64Array(C);
  for (let n = 0; n < N * H; n++) {
    const at = n * C;
    let squares = 0;
    let along = 0;
    for (let c = 0; c < C; c++) {
      squares += x[at + c] ** 2;
      along += dy[at + c] * weight[c] * x[at + c];
    }
    const r = 1 / Math.sqrt(squares / C + eps);
    for (let c = 0; c < C; c++) {
      dx[at + c] = r * (dy[at + c] * weight[c] - (x[at + c] * r * r * along) / C);
      sums[c] += dy[at + c] * x[at + c] * r;
    }
  }
  addTo(dweight, sums);
}

/** Mean and 1 / sqrt(variance + eps) of a row. */
function moments(x: F32, at: number, C: number, eps: number): [mean: number, r: number] {
  let mean = 0;
  for (let c = 0; c < C; c++) mean += x[at + c] / C;
  let variance = 0;
  for (let c = 0; c < C; c++) variance += (x[at + c] - mean) ** 2 / C;
  return [mean, 1 / Math.sqrt(variance + eps)];
}

/** y = (x - mean) / sqrt(variance + eps) * weight + bias, a row at a time. */
export function layernorm(
  { x, weight, bias, y }: { x: F32; weight: F32; bias?: F32; y: F32 },
  { N, C }: Dims,
  { eps }: Eps,
): void {
  for (let n = 0; n < N; n++) {
    const [mean, r] = moments(x, n * C, C, eps);
    for (let c = 0; c < C; c++) {
      y[n * C + c] = (x[n * C + c] - mean) * r * weight[c] + (bias ? bias[c] : 0);
    }
  }
}

/** Gradients of `layernorm`. */
export function layernormBackward(
  { x, weight, dy, dx, dweight, dbias }: NormGradient,
  { N, C }: Dims,
  { eps }: Eps,
): void {
  const weightSums = new Float64Array(C);
  const biasSums = new Float64Array(C);
  for (let n = 0; n < N; n++) {
    const at = n * C;
    const [mean, r] = moments(x, at, C, eps);
    let meanG = 0;
    let along = 0;
    for (let c = 0; c < C; c++) {
      const g = dy[at + c] * weight[c];
      meanG += g / C;
      along += (g * (x[at + c] - mean) * r) / C;
    }
    for (let c = 0; c < C; c++) {
      const h = (x[at + c] - mean) * r;
      dx[at + c] = r * (dy[at + c] * weight[c] - meanG - h * along);
      weightSums[c] += dy[at + c] * h;
      biasSums[c] += dy[at + c];
    }
  }
  addTo(dweight, weightSums);
  addTo(dbias, biasSums);
}

function addTo(sum: F32 | undefined, added: Float64Array): void {
  if (sum) for (let c = 0; c < added.length; c++) sum[c] += added[c];
}

/** y[n] = mean_c (x - target)^2. */
export function squaredError({ x, target, y }: { x: F32; target: F32; y: F32 }, { N, C }: Dims): void {
  for (let n = 0; n < N; n++) {
    let sum = 0;
    for (let i = n * C; i < (n + 1) * C; i++) sum += (x[i] - target[i]) ** 2;
    y[n] = sum / C;
  }
}

/** dx = 2 dy[n] (x - target) / C. */
export function squaredErrorBackward(
  { x, target, dy, dx }: { x: F32; target: F32; dy: F32; dx: F32 },
  { C }: Dims,
): void {
  for (let i = 0; i < x.length; i++) dx[i] = (2 * dy[Math.floor(i / C)] * (x[i] - target[i])) / C;
}

/** dlogits = dy[n] (softmax - one at the target). Errors: INVALID_ARGUMENT for a target outside the vocabulary. */
export function crossEntropyBackward(
  { logits, targets, dy, dlogits }: { logits: F32; targets: I32; dy: F32; dlogits: F32 },
  { N, V }: Dims,
): void {
  for (let n = 0; n < N; n++) {
    checkId('cross_entropy_backward_f32', targets[n], V);
    const row = logits.subarray(n * V, (n + 1) * V);
    let largest = -Infinity;
    for (let v = 0; v < V; v++) if (row[v] > largest) largest = row[v];
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(row[v] - largest);
    for (let v = 0; v < V; v++) {
      dlogits[n * V + v] = dy[n] * (Math.exp(row[v] - largest) / sum - (v === targets[n] ? 1 : 0));
    }
  }
}

/** dtable[ids[n]] += dy[n]. Errors: INVALID_ARGUMENT for an id outside the table. */
export function embeddingBackward(
  { ids, dy, dtable }: { ids: I32; dy: F32; dtable: F32 },
  { V, C }: Dims,
): void {
  scatter('embedding_backward_f32', ids, dy, dtable, V, C);
}

/** dx[ids[n]] += dy[n]. Errors: INVALID_ARGUMENT for an id outside x. */
export function gatherBackward({ ids, dy, dx }: { ids: I32; dy: F32; dx: F32 }, { V }: Dims): void {
  scatter('gather_backward_f32', ids, dy, dx, V, 1);
}

function scatter(where: string, ids: I32, from: F32, to: F32, V: number, C: number): void {
  const sums = Float64Array.from(to);
  ids.forEach((id, n) => {
    checkId(where, id, V);
    for (let c = 0; c < C; c++) sums[id * C + c] += from[n * C + c];
  });
  to.set(sums);
}

/** sum[c] += sum_n x[n,c]. */
export function columnSum({ x, sum }: { x: F32; sum: F32 }, { C }: Dims): void {
  const sums = new Float64Array(C);
  for (let i = 0; i < x.length; i++) sums[i % C] += x[i];
  addTo(sum, sums);
}

/** y = a / divisor. */
export function divide({ a, divisor, y }: { a: F32; divisor: F32; y: F32 }): void {
  for (let c = 0; c < y.length; c++) y[c] = a[c] / divisor[c];
}

/** Gradients of `divide`. */
export function divideBackward({
  a,
  divisor,
  dy,
  da,
  ddivisor,
}: {
  a: F32;
  divisor: F32;
  dy: F32;
  da?: F32;
  ddivisor?: F32;
}): void {
  for (let c = 0; c < dy.length; c++) {
    if (da) da[c] += dy[c] / divisor[c];
    if (ddivisor) ddivisor[c] -= (dy[c] * a[c]) / divisor[c] ** 2;
  }
}

/** y[n] = x[ids[n]]. Errors: INVALID_ARGUMENT for an id outside x. */
export function gather({ ids, x, y }: { ids: I32; x: F32; y: F32 }, { V }: Dims): void {
  ids.forEach((id, n) => {
    checkId('gather_f32', id, V);
    y[n] = x[id];
  });
}
