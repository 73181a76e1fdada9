import type { WeightRows } from '@spikellm/graph';
import { WEIGHT_STEP_CHOICES, type GptqSettings } from './settings.ts';

const F32 = 4;
const TRIT_BITS = 2;

/** Trits, scales of each group of columns, and what says how many steps weights have. */
export function ternaryRowBytes({ inputs, outputs }: WeightRows, own: GptqSettings): number {
  const { meanSteps, weightSteps, salientSteps, salientWeights, weightGroup = inputs, weightUnit } = own;
  const steps = meanSteps ?? weightSteps + salientWeights * (salientSteps - weightSteps);
  const scales = F32 * weightClasses(own) * Math.ceil(inputs / weightGroup);
  const map = weightUnit === 'element' ? outputs * Math.ceil(inputs / 8) : inputs;
  return outputs * ((TRIT_BITS * steps * inputs) / 8 + scales) + map;
}

/** Numbers of steps that have scales. Elements have two also where one has no weights; channels only those that some have. */
function weightClasses({
  meanSteps,
  weightUnit,
  weightSteps,
  salientSteps,
  salientWeights,
}: GptqSettings): number {
  if (weightUnit === 'element') return 2;
  if (meanSteps !== undefined) return WEIGHT_STEP_CHOICES.length;
  return weightSteps !== salientSteps && salientWeights > 0 && salientWeights < 1 ? 2 : 1;
}
