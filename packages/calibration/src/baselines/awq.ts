/**
 * AWQ (arXiv 2306.00978): input channels are multiplied by scales before weights are rounded to the nearest code, and divided by
 * them afterwards, so that weights of channels with large inputs lose less. s_c = m_c^alpha / sqrt(max s min s), and of 20
 * values of alpha from 0 on the one of least output error is taken. Here m_c is the root mean square of an input, where the
 * published code takes the mean of its size; scales are those of one linear, where it shares them between the linears of an
 * input, so that the operation before takes them over. Its search for clipped ranges is left out.
 */
import { createRunner, type Backend } from '@spikellm/backend';
import { hostTensor } from '@spikellm/graph';
import type { FactoredHessian } from '../compensation/factor.ts';
import { createUniformQuantiser } from '../compensation/grid.ts';
import { toColumns, toRows, type Sweep } from '../compensation/sweep.ts';

const CHOICES = 20;
/** Of m_c^alpha, for inputs that are 0. */
const LEAST = 1e-4;

/** Rounds a weight [O, C] with the scales of least error; dead channels become 0. */
export async function scaleAndRound(
  backend: Backend,
  weights: Float32Array,
  { order, factor, diagonal, dead }: FactoredHessian,
  bits: number,
): Promise<Sweep> {
  const C = order.length;
  const live = weights.map((w, i) => (dead[i % C] ? 0 : w));
  const columns = toColumns(live, order);
  const sizes = Float64Array.from(order, (channel) => Math.sqrt(diagonal[channel]));
  using runner = createRunner(backend);
  using b = backend.upload(hostTensor('float32', factor, [C, C]));
  let best: Sweep = { weights: columns, error: Infinity };
  for (let choice = 0; choice < CHOICES; choice++) {
    const rounded = roundScaled(columns, channelScales(sizes, choice / CHOICES), bits);
    const lost = columns.map((w, i) => w - rounded[i]);
    // (w - q) H (w - q)^T = |(w - q) R|^2.
    using a = backend.upload(hostTensor('float32', lost, [C, lost.length / C]));
    using y = runner.run('matmul_tn_f32', { a, b }).y;
    const { data } = await backend.read(y);
    const error = (data as Float32Array).reduce((sum, value) => sum + value ** 2, 0);
    if (error < best.error) best = { weights: rounded, error };
  }
  return { weights: toRows(best.weights, order), error: best.error };
}

function channelScales(sizes: Float64Array, alpha: number): Float64Array {
  const scales = sizes.map((size) => Math.max(size ** alpha, LEAST));
  const middle = Math.sqrt(Math.max(...scales) * Math.min(...scales));
  return scales.map((scale) => scale / middle);
}

/** Q(w s) / s with a grid for each output. @param columns - [C, O] */
function roundScaled(columns: Float32Array, scales: Float64Array, bits: number): Float32Array {
  const O = columns.length / scales.length;
  const scaled = columns.map((w, i) => w * scales[Math.floor(i / O)]);
  const quantiser = createUniformQuantiser(scaled, O, { bits, symmetric: false });
  scales.forEach((scale, n) => {
    const column = scaled.subarray(n * O, (n + 1) * O);
    quantiser.column(n, column, column);
    for (let o = 0; o < O; o++) column[o] /= scale;
  });
  return scaled;
}
