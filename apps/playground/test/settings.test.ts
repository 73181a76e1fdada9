import { checkSettings, DEFAULT_SETTINGS } from '@spikellm/calibration';
import { expect, it } from 'vitest';
import { roundToNearest } from '../src/engine/round-to-nearest.ts';
import { titleOf } from '../src/engine/titles.ts';

it('rounds to nearest beside whatever else is chosen', () => {
  const options = { weights: 'ternary', meanSteps: 1.7 };
  const chosen = {
    ...DEFAULT_SETTINGS,
    pipeline: 'gptq',
    rotate: 'hadamard',
    weightBits: 3,
    options,
  } as const;
  const rounded = roundToNearest(chosen);
  expect(() => checkSettings(rounded)).not.toThrow();
  expect(rounded).toMatchObject({ pipeline: 'rtn', weightBits: 3, steps: 1, rotate: 'none' });
});

it.each([
  [{}, 'round-to-nearest W4A4, T = 2 in 10 % (obs)'],
  [
    { pipeline: 'smoothquant', weightBits: 3, rotate: 'hadamard', steps: 1 },
    'SmoothQuant W3A4, T = 1, rotated',
  ],
  [
    {
      pipeline: 'gptq',
      options: { weights: 'ternary', meanSteps: 1.7 },
      saliency: 'fisher',
      salientFraction: 0.25,
    },
    'GPTQ ternary weights of 1.7 steps, A4, T = 2 in 25 % (fisher)',
  ],
] as const)('says %j in a title', (changes, title) => {
  expect(titleOf({ ...DEFAULT_SETTINGS, ...changes })).toBe(title);
});
