/** Baselines: their quantisers against what their papers say of them, and whole models. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { createRandom, loadDecoder } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binarise } from '../src/baselines/binary.ts';
import {
  factorHessian,
  fakeQuantise,
  quantizeBaseline,
  type BaselineMethod,
  type FactoredHessian,
} from '../src/index.ts';
import { tinyWindows, writeTinyModel } from './tiny-model.ts';

const backend = createReferenceBackend();
const random = createRandom(11);
const gauss = (): number =>
  Math.sqrt(-2 * Math.log(1 - random.real())) * Math.cos(2 * Math.PI * random.real());
const [O, C] = [4, 200];
const weights = Float32Array.from({ length: O * C }, gauss);
let identity: FactoredHessian;
let folder: string;

beforeAll(async () => {
  const eye = Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 : 0));
  identity = await factorHessian(eye, { backend, damping: 0, actOrder: false, where: 'test' });
  folder = await mkdtemp(join(tmpdir(), 'spikellm-baselines-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  backend.dispose();
});

const mse = (got: Float32Array): number =>
  got.reduce((sum, value, i) => sum + (value - weights[i]) ** 2, 0) / got.length;
const quantised = (method: BaselineMethod) => fakeQuantise(backend, weights, identity, method);

describe('binary weights', () => {
  it('of one pass are mean and size, of two passes those of the rest too', () => {
    const values = Float32Array.of(1, -3, 5, 100);
    const mask = Uint8Array.of(1, 1, 1, 0);
    // mean 1, sizes 0, 4, 4: alpha 8/3.
    const once = binarise(values, mask, 1, 1);
    expect([...once]).toEqual([1, Math.fround(1 - 8 / 3), Math.fround(1 + 8 / 3), 0]);
    const twice = binarise(values, mask, 1, 2);
    const error = (of: Float32Array): number =>
      [0, 1, 2].reduce((sum, i) => sum + (of[i] - values[i]) ** 2, 0);
    expect(error(twice)).toBeLessThan(error(once));
  });
});

describe('PB-LLM', () => {
  it.each([
    [0.8, 2.4],
    [0.9, 1.7],
    [0.95, 1.35],
  ])('with %d of the weights in one bit computes %d steps', async (lowFraction, steps) => {
    const result = await quantised({ name: 'pb-llm', lowFraction, mean: 'faithful' });
    expect(result.steps).toBeCloseTo(steps, 10);
    expect(result.bits / (O * C)).toBeCloseTo(steps + 1 + 64 / C, 10);
    const rows = Array.from({ length: O }, (_, o) => new Set(result.weights.subarray(o * C, (o + 1) * C)));
    // Two values of the signs, at most 256 of the codes.
    for (const row of rows) expect(row.size).toBeLessThan((1 - lowFraction) * C * 2 + 3);
  });

  it('is biased by the zeros of the published mean, as a Gaussian shows', async () => {
    const faithful = await quantised({ name: 'pb-llm', lowFraction: 0.8, mean: 'faithful' });
    const masked = await quantised({ name: 'pb-llm', lowFraction: 0.8, mean: 'masked' });
    expect(mse(masked.weights)).toBeLessThan(mse(faithful.weights));
    // 0.8 of a truncated Gaussian, 0.123 and 0.135 a low weight.
    expect(mse(faithful.weights) / 0.8).toBeCloseTo(0.135, 1);
  });
});

describe('BiLLM', () => {
  it('has two passes in some columns and beats plain binary weights', async () => {
    const result = await quantised({ name: 'billm' });
    expect(result.steps).toBeGreaterThan(1);
    expect(result.steps).toBeLessThan(1.4);
    // Binary weights of a unit Gaussian: 0.363.
    expect(mse(result.weights)).toBeLessThan(0.3);
    const blocks = 2;
    const salient = Math.round((result.steps - 1) * C);
    expect(result.bits).toBe(O * (2 * salient + 2 * (C - salient)) + C + O * blocks * 8 * 16);
  });
});

describe('groups', () => {
  it('that do not divide the columns leave a smaller one at the end', async () => {
    const whole = await quantised({ name: 'gptq', bits: 3, group: 200 });
    const grouped = await quantised({ name: 'gptq', bits: 3, group: 64 });
    expect(mse(grouped.weights)).toBeLessThan(mse(whole.weights));
    expect(grouped.bits).toBe(O * C * 3 + O * 4 * 19);
  });

  it.each([0, -1, 1.5])('of %d columns are refused', async (group) => {
    await expect(quantised({ name: 'gptq', bits: 4, group })).rejects.toThrow(
      `group: expected groups of a whole number of columns, 1 or more, received ${group}`,
    );
  });
});

describe('AWQ', () => {
  const [outputs, inputs, tokens] = [3, 6, 50];
  const given = Float32Array.from({ length: outputs * inputs }, gauss);
  /** Inputs of growing sizes that hang together; channel 4 is 0 throughout. */
  const x = Array.from({ length: tokens }, () => {
    const shared = gauss();
    return Float32Array.from({ length: inputs }, (_, c) => (c === 4 ? 0 : 3 ** c * (gauss() + shared)));
  });
  const sums = new Float32Array(inputs * inputs);
  for (const row of x) row.forEach((a, i) => row.forEach((b, j) => (sums[i * inputs + j] += 2 * a * b)));

  /** Rounds by the definition, and sums 2 ((w - q) x)^2. */
  function rounded(alpha: number, bits: number) {
    const sizes = Array.from(
      { length: inputs },
      (_, c) => Math.hypot(...x.map((row) => row[c])) * Math.SQRT2,
    );
    const scales = sizes.map((size) => Math.max(size ** alpha, 1e-4));
    const values = new Float32Array(outputs * inputs);
    for (let o = 0; o < outputs; o++) {
      const row = scales.map((s, c) => (c === 4 ? 0 : given[o * inputs + c] * s));
      const [min, max] = [Math.min(0, ...row), Math.max(0, ...row)];
      const step = (max - min) / (2 ** bits - 1);
      const zero = Math.round(-min / step);
      row.forEach((value, c) => {
        const code = Math.min(2 ** bits - 1, Math.max(0, Math.round(value / step) + zero));
        values[o * inputs + c] = ((code - zero) * step) / scales[c];
      });
    }
    const error = x.reduce((sum, row) => {
      for (let o = 0; o < outputs; o++) {
        const lost = row.reduce(
          (total, a, c) => total + a * (given[o * inputs + c] - values[o * inputs + c]),
          0,
        );
        sum += 2 * lost ** 2;
      }
      return sum;
    }, 0);
    return { values, error };
  }

  it.each([2, 3, 4])('of %d bits is the best of twenty exponents', async (bits) => {
    const hessian = await factorHessian(sums, { backend, damping: 0, actOrder: true, where: 'test' });
    const result = await fakeQuantise(backend, given, hessian, { name: 'awq', bits });
    const tried = Array.from({ length: 20 }, (_, i) => rounded(i / 20, bits));
    const best = tried.reduce((least, other) => (other.error < least.error ? other : least));
    expect(best.error).toBeLessThan(tried[0].error);
    expect(result.error / best.error).toBeCloseTo(1, 3);
    result.weights.forEach((value, i) => expect(value).toBeCloseTo(best.values[i], 4));
    expect(result.bits).toBe(outputs * inputs * bits + outputs * (16 + bits) + inputs * 16);
    expect(result.steps).toBe(bits);
  });
});

describe('a model', () => {
  const windows = tinyWindows(4, 40);

  it.each([
    { name: 'pb-llm', lowFraction: 0.5, mean: 'masked' },
    { name: 'billm' },
    { name: 'gptq', bits: 4, group: 8 },
    { name: 'awq', bits: 4 },
  ] as const)('of $name is a float folder that says what it needs', async (method) => {
    const source = await writeTinyModel(join(folder, `source ${method.name}`));
    const out = join(folder, method.name);
    await using model = await openModelFolder(source);
    const before = backend.liveBytes;
    const report = await quantizeBaseline({ model, out, backend, method, windows });
    expect(backend.liveBytes).toBe(before);
    expect(report.bitsPerWeight).toBeGreaterThan(1);
    expect(JSON.parse(await readFile(join(out, 'baseline.json'), 'utf8'))).toEqual({ method, ...report });
    await using written = await openModelFolder(out);
    expect(written.config).toEqual(model.config);
    using decoder = await loadDecoder({ config: written.config, tensors: written.tensors, backend });
    const { perplexity: value } = await perplexity(decoder, windows.flat(), { window: 40 });
    expect(value).toBeGreaterThan(1);
    expect(value).toBeLessThan(1000);
  });
});
