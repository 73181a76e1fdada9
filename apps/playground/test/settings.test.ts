import { checkSettings, DEFAULT_SETTINGS } from '@spikellm/calibration';
import { expect, it } from 'vitest';
import { roundToNearest } from '../src/engine/round-to-nearest.ts';

it('rounds to nearest beside whatever else is chosen', () => {
  const gptq = { ...DEFAULT_SETTINGS.gptq, weights: 'ternary', equalSteps: 1.7 } as const;
  const chosen = { ...DEFAULT_SETTINGS, pipeline: 'gptq', rotate: 'hadamard', weightBits: 3, gptq } as const;
  const rounded = roundToNearest(chosen);
  expect(() => checkSettings(rounded)).not.toThrow();
  expect(rounded).toMatchObject({ pipeline: 'rtn', weightBits: 3, steps: 1, rotate: 'none' });
});
