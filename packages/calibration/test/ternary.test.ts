/** Thresholds and steps of ternary weights. */
import { createReferenceBackend, createRunner, unpackTrits, type HostTensor } from '@spikellm/backend';
import { createRandom, type Weight } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { factorHessian } from '../src/compensation/factor.ts';
import { GPTQ_FIELDS, type GptqSettings } from '../src/compensation/settings.ts';
import { ternaryError, ternaryScale } from '../src/compensation/ternary-scale.ts';
import { channelClasses, classScales, ternaryMethod } from '../src/compensation/ternary.ts';
import { chooseElements } from '../src/compensation/weight-steps.ts';
import { defaultsOf } from '../src/settings/fields.ts';

const random = createRandom(5);
/** Standard normal. */
const gauss = (): number =>
  Math.sqrt(-2 * Math.log(1 - random.real())) * Math.cos(2 * Math.PI * random.real());
const gaussian = (length: number): Float32Array => Float32Array.from({ length }, gauss);

describe('the threshold', () => {
  it.each([1, 2, 3, 4, 7])('of %d steps is as good as every one of a fine grid', (steps) => {
    for (let trial = 0; trial < 20; trial++) {
      const weights = gaussian(50);
      const error = ternaryError(weights, ternaryScale(weights, steps), steps);
      const largest = Math.max(...weights.map(Math.abs));
      let least = Infinity;
      for (let i = 1; i <= 4000; i++)
        least = Math.min(least, ternaryError(weights, (i / 4000) * largest, steps));
      // The closed form is exact; the search of more steps may miss a narrow minimum.
      expect(error).toBeLessThanOrEqual(least * (steps === 1 ? 1 + 1e-5 : 1.05));
    }
  });

  // Of a unit Gaussian: the mean squared error of the best threshold.
  it.each([
    [1, 1.21, 0.188],
    [2, 0.84, 0.08],
    [3, 0.64, 0.045],
    [4, 0.53, 0.03],
  ])('of %d steps on a Gaussian is %d, the error %d', (steps, scale, error) => {
    const weights = gaussian(100_000);
    const found = ternaryScale(weights, steps);
    expect(Math.abs(found - scale)).toBeLessThan(0.04);
    expect(Math.abs(ternaryError(weights, found, steps) / weights.length - error)).toBeLessThan(0.003);
  });

  it.each([[[]], [[0, 0, 0]]])('of %o is 1', (weights) => {
    expect(ternaryScale(Float32Array.from(weights), 1)).toBe(1);
    expect(ternaryScale(Float32Array.from(weights), 3)).toBe(1);
  });
});

describe('ternary weights of a linear', () => {
  const [O, C] = [5, 40];
  const weights = gaussian(O * C);
  const backend = createReferenceBackend();
  const methodOf = async (changes: Partial<GptqSettings>): Promise<Weight> => {
    const hessian = Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 + (i % C) : 0.2));
    const options = { backend, damping: 0.01, actOrder: true, where: 'test' };
    const settings: GptqSettings = { ...defaultsOf(GPTQ_FIELDS), weights: 'ternary', ...changes };
    return (await ternaryMethod(settings)(backend, weights, await factorHessian(hessian, options))).weight;
  };
  /** A tensor of the weight as a checkpoint has it: `steps`, `salient`, `trits` or `scale`. */
  const part = (weight: Weight, name: string): HostTensor =>
    new Map(weight.tensors('w')).get(`w.weight_${name}`)!;
  const bytes = (weight: Weight, name: string): Uint8Array => part(weight, name).data as Uint8Array;
  const quantised = async (changes: Partial<GptqSettings>): Promise<{ weight: Weight; k: Int8Array }> => {
    const weight = await methodOf(changes);
    return { weight, k: unpackTrits(bytes(weight, 'trits'), O, bytes(weight, 'steps')) };
  };
  const meanOf = (weight: Weight): number => bytes(weight, 'steps').reduce((sum, T) => sum + T, 0) / C;

  it('have 3 steps in a fifth of the channels, those that cost most to remove', async () => {
    const { weight, k } = await quantised({});
    const steps = bytes(weight, 'steps');
    expect(steps.filter((T) => T === 3)).toHaveLength(8);
    expect(steps.filter((T) => T === 1)).toHaveLength(32);
    expect(part(weight, 'scale').dims).toEqual([O, 2]);
    expect(Math.max(...k)).toBe(3);
    k.forEach((value, i) => expect(Math.abs(value)).toBeLessThanOrEqual(steps[i % C]));
  });

  it.each([
    ['no salient channel', { salientWeights: 0 }, 1],
    ['salient channels only', { salientWeights: 1 }, 3],
  ])('have one class of steps with %s', async (_, changes, T) => {
    const { weight } = await quantised(changes);
    expect(new Set(bytes(weight, 'steps'))).toEqual(new Set([T]));
    expect(part(weight, 'scale').dims).toEqual([O, 1]);
  });

  it.each([1, 1.35, 1.4, 2.4])('have a mean of %d steps where that is the budget', async (meanSteps) => {
    const { weight } = await quantised({ meanSteps });
    expect(meanOf(weight)).toBeLessThanOrEqual(meanSteps + 1e-9);
    expect(meanOf(weight)).toBeGreaterThan(meanSteps - 0.06);
  });

  /** The weights that the kernel computes with: what it gives for each unit vector. */
  const decoded = async (weight: Weight): Promise<Float32Array> => {
    using runner = createRunner(backend);
    const linear = weight.onFloats(runner, undefined);
    const eye = Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 : 0));
    const y = linear.run(runner.upload({ type: 'float32', data: eye, dims: [C, C] }));
    const data = (await backend.read(y)).data as Float32Array;
    return Float32Array.from(weights, (_, i) => data[(i % C) * O + Math.floor(i / C)]);
  };
  const errorOf = async (weight: Weight): Promise<number> =>
    (await decoded(weight)).reduce((sum, value, i) => sum + (value - weights[i]) ** 2, 0);

  // 40 channels in groups of 16: the last has 8.
  it.each([{ salientWeights: 0.2 }, { meanSteps: 1.7 }])(
    'have scales for groups with %o',
    async (changes) => {
      const { weight, k } = await quantised({ ...changes, weightGroup: 16, actOrder: false });
      const steps = bytes(weight, 'steps');
      const pairs = new Set(Array.from(steps, (T, c) => `${T} ${Math.floor(c / 16)}`));
      expect(part(weight, 'scale').dims).toEqual([O, pairs.size]);
      const sorted = [...pairs].toSorted();
      const values = await decoded(weight);
      k.forEach((value, i) => {
        const [o, c] = [Math.floor(i / C), i % C];
        const w = sorted.indexOf(`${steps[c]} ${Math.floor(c / 16)}`);
        const D = (part(weight, 'scale').data as Float32Array)[o * pairs.size + w];
        expect(values[i]).toBeCloseTo(value * D, 5);
      });
    },
  );

  it('have scales that follow the sizes of a group, without dead channels', () => {
    const sized = weights.map((w, i) => (i % C < 16 ? w : w / 100));
    const dead = new Uint8Array(C).fill(1, 32);
    const scale = classScales(sized, channelClasses(new Uint8Array(C).fill(1), 16), dead);
    for (let o = 0; o < O; o++) {
      const [first, second, third] = scale.subarray(3 * o, 3 * o + 3);
      expect(first / second).toBeGreaterThan(30);
      expect(third).toBe(1);
    }
  });

  it('are those of a row where a group holds all columns', async () => {
    const { weight } = await quantised({ weightGroup: 40 });
    expect(weight.tensors('w')).toEqual((await quantised({})).weight.tensors('w'));
  });

  it.each([undefined, 16])('have more steps in single weights, groups of %s', async (weightGroup) => {
    const weight = await methodOf({ weightUnit: 'element', salientWeights: 0.2, weightGroup });
    const groups = weightGroup === undefined ? 1 : 3;
    expect(part(weight, 'scale').dims).toEqual([O, 2 * groups]);
    const bits = bytes(weight, 'salient').reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
      0,
    );
    expect(bits).toBe(0.2 * O * C);
    // A map, a trit a weight and two more for salient ones.
    expect(part(weight, 'salient').dims).toEqual([O, C / 8]);
    expect(bytes(weight, 'trits')).toHaveLength((2 * (O * C + 2 * 0.2 * O * C)) / 8);
    // At equal steps, single weights lose less than channels.
    const channels = (await quantised({ salientWeights: 0.2, weightGroup })).weight;
    expect(await errorOf(weight)).toBeLessThan(await errorOf(channels));
  });

  it.each([0, 0.001, 0.1, 0.35, 0.999, 1])(
    'are the share of %d that scores most, of equals the first',
    (share) => {
      // Many equal scores, and scores that differ in their last bits and in their exponents alone.
      const given = Float32Array.from(
        { length: 900 },
        (_, i) => [((i * 7) % 11) - 5, 1 + i * 2 ** -23, -(2 ** -((i * 13) % 100))][i % 3],
      );
      const pivots = Float64Array.of(1, 0, 3, 1e-3);
      const score = (i: number): number => (given[i] * pivots[i % 4]) ** 2;
      const ranked = Array.from(given.keys()).toSorted((a, b) => score(b) - score(a) || a - b);
      const expected = new Uint8Array(900);
      for (const i of ranked.slice(0, Math.round(share * 900))) expected[i] = 1;
      expect(chooseElements(given, { pivots }, { salientWeights: share })).toEqual(expected);
    },
  );

  it.each([0, 1])('have a share of %d of their elements salient', async (salientWeights) => {
    const weight = await methodOf({ weightUnit: 'element', salientWeights });
    // The class without weights has a scale of 1.
    const scale = part(weight, 'scale').data as Float32Array;
    expect(scale[1 - salientWeights]).toBe(1);
    expect(bytes(weight, 'trits')).toHaveLength((2 * O * C * (salientWeights === 1 ? 3 : 1)) / 8);
  });
});
