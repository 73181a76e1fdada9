/** GPTQ of one linear: published numbers, the plain loop that it stands for, and what a bad Hessian does. */
import { createReferenceBackend, createRunner } from '@spikellm/backend';
import { readGolden, type GptqCase } from '@spikellm/golden';
import { createRandom, hostTensor } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { factorHessian, type FactorOptions } from '../src/compensation/factor.ts';
import { createUniformQuantiser } from '../src/compensation/grid.ts';
import { sweepColumns, toColumns, type ColumnQuantiser } from '../src/compensation/sweep.ts';

const backend = createReferenceBackend();
const options: FactorOptions = { backend, damping: 0.01, actOrder: false, where: 'layer 0, test' };

/** (2 / samples) sum of x^T x, through the kernel that calibration uses. */
async function hessianOf(samples: readonly Float32Array[], C: number): Promise<Float32Array> {
  using runner = createRunner(backend);
  const hessian = runner.upload(hostTensor('float32', new Float32Array(C * C), [C, C]));
  for (const data of samples) {
    runner.run('gram_f32', { x: runner.upload(hostTensor('float32', data, [data.length / C, C])), hessian });
  }
  const sums = (await backend.read(hessian)).data as Float32Array;
  return sums.map((value) => (2 / samples.length) * value);
}

/** Inputs whose channels hang together, and weights. */
function example({ O = 6, C = 200, tokens = 300, seed = 1 } = {}) {
  const random = createRandom(seed);
  const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.real() * 2 - 1);
  const mix = draw(C * 8);
  const x = new Float32Array(tokens * C);
  for (let n = 0; n < tokens; n++) {
    const hidden = draw(8);
    for (let c = 0; c < C; c++) {
      x[n * C + c] =
        0.3 * (random.real() * 2 - 1) + hidden.reduce((sum, h, k) => sum + h * mix[c * 8 + k], 0);
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
        toColumns(weights, factored.order),
        O,
        { bits, symmetric },
        group < 0 ? undefined : group,
      );
      const { weights: got } = await sweepColumns(backend, weights, factored, quantiser);
      golden.dequantized.data.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(1e-4));
    },
  );
});

/** The published loop as it is written: an inverse, its upper Cholesky factor, every later column updated at once. */
function plainGptq(
  weights: Float32Array,
  hessian: Float32Array,
  C: number,
  round: (w: number) => number,
): Float64Array {
  const inverse = inverseOf(hessian, C);
  // U with inverse = U^T U, row by row.
  const U = new Float64Array(C * C);
  for (let i = 0; i < C; i++) {
    for (let j = i; j < C; j++) {
      let sum = inverse[i * C + j];
      for (let k = 0; k < i; k++) sum -= U[k * C + i] * U[k * C + j];
      U[i * C + j] = i === j ? Math.sqrt(sum) : sum / U[i * C + i];
    }
  }
  const w = Float64Array.from(weights);
  for (let i = 0; i < C; i++) {
    for (let row = 0; row < w.length; row += C) {
      const q = round(w[row + i]);
      const error = (w[row + i] - q) / U[i * C + i];
      for (let j = i + 1; j < C; j++) w[row + j] -= error * U[i * C + j];
      w[row + i] = q;
    }
  }
  return w;
}

/** By elimination; the matrix is positive definite. */
function inverseOf(matrix: Float32Array, C: number): Float64Array {
  const rows = Array.from({ length: C }, (_, i) =>
    Float64Array.from({ length: 2 * C }, (__, j) => (j < C ? matrix[i * C + j] : Number(j - C === i))),
  );
  for (let i = 0; i < C; i++) {
    const pivot = rows[i][i];
    rows[i].forEach((value, j) => (rows[i][j] = value / pivot));
    for (const [k, row] of rows.entries()) {
      const factor = row[i];
      if (k !== i) for (let j = 0; j < 2 * C; j++) row[j] -= factor * rows[i][j];
    }
  }
  return Float64Array.from({ length: C * C }, (_, i) => rows[Math.floor(i / C)][C + (i % C)]);
}

/** Rounds every weight to whole eighths. */
const eighths = (w: number): number => Math.round(8 * w) / 8;
const roundColumns: ColumnQuantiser = {
  block: 1,
  column: (_, values, quantised) => values.forEach((w, o) => (quantised[o] = eighths(w))),
};

describe('the sweep', () => {
  it('is the published loop over 200 columns, without its inverse', async () => {
    const { weights, x, C } = example();
    const hessian = await hessianOf([x], C);
    const factored = await factorHessian(hessian, options);
    const damped = hessian.slice();
    const mean = hessian.reduce((sum, value, i) => sum + (i % (C + 1) === 0 ? value : 0), 0) / C;
    for (let j = 0; j < C; j++) damped[j * C + j] += 0.01 * mean;
    const { weights: got, error } = await sweepColumns(backend, weights, factored, roundColumns);
    const want = plainGptq(weights, damped, C, eighths);
    // A value at the edge between two levels may fall to either side, and moves those after it.
    const different = got.filter((value, i) => Math.abs(value - want[i]) > 1e-4).length;
    expect(different).toBeLessThan(0.01 * got.length);
    expect(Math.abs(error / lossOf(weights, got, damped, C) - 1)).toBeLessThan(1e-3);
  });

  it('with channels that do not hang together is round-to-nearest', async () => {
    const { weights, C } = example({ C: 130 });
    const identity = Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 : 0));
    const factored = await factorHessian(identity, options);
    const { weights: got } = await sweepColumns(backend, weights, factored, roundColumns);
    expect(got).toEqual(weights.map(eighths));
  });

  it.each([false, true])('loses less than round-to-nearest, act order %o', async (actOrder) => {
    const { weights, x, C } = example();
    const hessian = await hessianOf([x], C);
    const factored = await factorHessian(hessian, { ...options, actOrder });
    const { weights: got } = await sweepColumns(backend, weights, factored, roundColumns);
    expect(lossOf(weights, got, hessian, C)).toBeLessThan(
      0.5 * lossOf(weights, weights.map(eighths), hessian, C),
    );
  });

  it.each([16, 48, 128, 300])(
    'hands over whole blocks of %d columns, the last one shorter',
    async (block) => {
      const { weights, x, C } = example();
      const factored = await factorHessian(await hessianOf([x], C), options);
      const seen: [number, number][] = [];
      await sweepColumns(backend, weights, factored, {
        ...roundColumns,
        block,
        begin: (from, to) => void seen.push([from, to]),
      });
      const starts = Array.from({ length: Math.ceil(C / block) }, (_, i) => i * block);
      expect(seen).toEqual(starts.map((from) => [from, Math.min(C, from + block)]));
    },
  );
});

describe('Hessians that cannot be factored as they are', () => {
  const diagonal = (values: readonly number[]): Float32Array => {
    const C = values.length;
    return Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? values[i % C] : 0));
  };

  it('of rank 3 in 20 channels without damping: it is raised, and the notice names layer and linear', async () => {
    const { x, C } = example({ C: 20, tokens: 3 });
    const hessian = await hessianOf([x], C);
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    const { damping } = await factorHessian(hessian, { ...options, damping: 0, onNotice });
    expect(damping).toBeGreaterThan(0);
    expect(notices[0]).toMatch(
      /^layer 0, test: the Hessian is not positive definite at channel \d+ with damping 0, which is raised to 0.000001$/,
    );
    expect((await factorHessian(hessian, options)).damping).toBe(0.01);
  });

  it('of zeros: all channels are dead and their weights become 0', async () => {
    const { weights, C } = example({ C: 20 });
    const factored = await factorHessian(diagonal(Array<number>(C).fill(0)), options);
    expect([...factored.dead]).toEqual(Array<number>(C).fill(1));
    const { weights: got } = await sweepColumns(backend, weights, factored, roundColumns);
    expect(got.every((w) => w === 0)).toBe(true);
  });

  it('with a number that is none, or below 0', async () => {
    const where =
      'layer 0, test: expected a Hessian with finite numbers of 0 or more on its diagonal, received';
    await expect(factorHessian(diagonal([1, Number.NaN]), options)).rejects.toThrow(
      `${where} NaN at channel 1`,
    );
    await expect(factorHessian(diagonal([1, 2, -3]), options)).rejects.toThrow(`${where} -3 at channel 2`);
  });

  it('that is no matrix of squares at all', async () => {
    const far = Float32Array.of(1, 1e9, 1e9, 1);
    await expect(factorHessian(far, options)).rejects.toThrow('no damping makes positive definite');
  });
});
