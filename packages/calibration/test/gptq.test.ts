/** GPTQ of one linear: published numbers, the plain loop that it stands for, and what a bad Hessian does. */
import { createReferenceBackend } from '@spikellm/backend';
import { readGolden, type GptqCase } from '@spikellm/golden';
import { createRandom, hostTensor } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { factorHessian, type FactorOptions } from '../src/gptq/factor.ts';
import { createUniformQuantiser } from '../src/gptq/grid.ts';
import { createHessianProbe } from '../src/gptq/hessian.ts';
import { sweepColumns, type ColumnQuantiser } from '../src/gptq/sweep.ts';

const backend = createReferenceBackend();
const options: FactorOptions = { backend, damping: 0.01, actOrder: false, where: 'layer 0, test' };

async function hessianOf(samples: readonly Float32Array[], C: number): Promise<Float32Array> {
  using probe = createHessianProbe(backend, C, 'layer 0, test');
  for (const [index, data] of samples.entries()) {
    using x = backend.upload(hostTensor('float32', data, [data.length / C, C]));
    probe.observe(x);
    await probe.check(index);
  }
  return probe.read();
}

/** Weights [O, C] as columns [C, O] in an order. */
const columnsOf = (weights: Float32Array, order: Int32Array): Float32Array => {
  const [C, O] = [order.length, weights.length / order.length];
  return Float32Array.from({ length: weights.length }, (_, i) => weights[(i % O) * C + order[Math.floor(i / O)]]);
};

/** Inputs whose channels hang together, and weights. */
function example({ O = 6, C = 200, tokens = 300, seed = 1 } = {}) {
  const random = createRandom(seed);
  const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.real() * 2 - 1);
  const mix = draw(C * 8);
  const x = new Float32Array(tokens * C);
  for (let n = 0; n < tokens; n++) {
    const hidden = draw(8);
    for (let c = 0; c < C; c++) {
      x[n * C + c] = 0.3 * (random.real() * 2 - 1) + hidden.reduce((sum, h, k) => sum + h * mix[c * 8 + k], 0);
    }
  }
  return { weights: draw(O * C), x, O, C };
}

/** (w - q) H (w - q)^T, summed over outputs. */
function lossOf(weights: Float32Array, quantised: Float32Array, hessian: Float32Array, C: number): number {
  let loss = 0;
  for (let o = 0; o < weights.length / C; o++) {
    const e = Float64Array.from({ length: C }, (_, c) => weights[o * C + c] - quantised[o * C + c]);
    for (let i = 0; i < C; i++) for (let j = 0; j < C; j++) loss += e[i] * hessian[i * C + j] * e[j];
  }
  return loss;
}

describe('numbers of the research code', () => {
  it.each(readGolden('kernels').gptq)(
    '$bits bits, groups of $group_size, act order $act_order, symmetric $symmetric',
    async (golden: GptqCase) => {
      const { bits, symmetric, group_size: group, act_order: actOrder, percdamp: damping } = golden;
      const [O, C] = golden.weight.shape;
      const all = Float32Array.from(golden.inputs.data);
      const samples = golden.inputs.shape[0];
      const size = all.length / samples;
      const hessian = await hessianOf(
        Array.from({ length: samples }, (_, i) => all.subarray(i * size, (i + 1) * size)),
        C,
      );
      golden.hessian_diag.data.forEach((value, j) =>
        expect(Math.abs(hessian[j * C + j] - value)).toBeLessThanOrEqual(1e-4 * Math.abs(value)),
      );
      const weights = Float32Array.from(golden.weight.data);
      const factored = await factorHessian(hessian, { ...options, damping, actOrder });
      // As published, the grid of a row is that of the row before dead columns are zeroed.
      const quantiser = createUniformQuantiser(
        columnsOf(weights, factored.order),
        O,
        { bits, symmetric },
        group < 0 ? undefined : group,
      );
      const { weights: got } = await sweepColumns(backend, weights, factored, quantiser);
      golden.dequantized.data.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(1e-4));
    },
  );
});
