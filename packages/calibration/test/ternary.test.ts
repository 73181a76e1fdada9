/** Thresholds and steps of ternary weights. */
import { createReferenceBackend, unpackTrits } from '@spikellm/backend';
import { createRandom, isTernary, type TernaryWeight } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { factorHessian } from '../src/gptq/factor.ts';
import { DEFAULT_GPTQ, type GptqSettings } from '../src/gptq/settings.ts';
import { ternaryError, ternaryScale } from '../src/gptq/ternary-scale.ts';
import { ternaryMethod } from '../src/gptq/ternary.ts';

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
  const quantised = async (
    changes: Partial<GptqSettings>,
  ): Promise<{ weight: TernaryWeight; k: Int8Array }> => {
    const hessian = Float32Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 + (i % C) : 0.2));
    const options = { backend, damping: 0.01, actOrder: true, where: 'test' };
    const settings: GptqSettings = { ...DEFAULT_GPTQ, weights: 'ternary', ...changes };
    const { weight } = await ternaryMethod(settings)(backend, weights, await factorHessian(hessian, options));
    if (!isTernary(weight)) throw new Error('not ternary');
    return {
      weight,
      k: unpackTrits(weight.trits.data as Uint8Array, O, weight.steps.data as Uint8Array),
    };
  };
  const meanSteps = ({ steps }: TernaryWeight): number =>
    (steps.data as Uint8Array).reduce((sum, T) => sum + T, 0) / C;

  it('have 3 steps in a fifth of the channels, those that cost most to remove', async () => {
    const { weight, k } = await quantised({});
    const steps = weight.steps.data as Uint8Array;
    expect(steps.filter((T) => T === 3)).toHaveLength(8);
    expect(steps.filter((T) => T === 1)).toHaveLength(32);
    expect(weight.scale.dims).toEqual([O, 2]);
    expect(Math.max(...k)).toBe(3);
    k.forEach((value, i) => expect(Math.abs(value)).toBeLessThanOrEqual(steps[i % C]));
  });

  it.each([
    ['no salient channel', { salientWeights: 0 }, 1],
    ['salient channels only', { salientWeights: 1 }, 3],
  ])('have one class of steps with %s', async (_, changes, T) => {
    const { weight } = await quantised(changes);
    expect(new Set(weight.steps.data as Uint8Array)).toEqual(new Set([T]));
    expect(weight.scale.dims).toEqual([O, 1]);
  });

  it.each([1, 1.35, 1.4, 2.4])('have a mean of %d steps where that is the budget', async (equalSteps) => {
    const { weight } = await quantised({ equalSteps });
    expect(meanSteps(weight)).toBeLessThanOrEqual(equalSteps + 1e-9);
    expect(meanSteps(weight)).toBeGreaterThan(equalSteps - 0.06);
  });
});
