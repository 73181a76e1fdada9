import type { KernelName } from '@spikellm/backend';
import { activationFormulas } from './activations.ts';
import { attentionFormulas } from './attention.ts';
import { windowFormulas } from './attention-window.ts';
import { floatFormulas } from './float.ts';
import { fusedFormulas } from './fused.ts';
import { hessianFormulas } from './hessian.ts';
import type { Formula } from './formula.ts';
import { routingFormulas } from './routing.ts';
import { roundTripFormulas } from './round-trip.ts';
import { spikingFormulas } from './spiking.ts';
import { ternaryFormulas } from './ternary.ts';
import { statisticsFormulas } from './statistics.ts';
import { trainingFormulas } from './training.ts';

export const formulas: Partial<Record<KernelName, Formula>> = {
  ...floatFormulas,
  ...activationFormulas,
  ...routingFormulas,
  ...spikingFormulas,
  ...fusedFormulas,
  ...attentionFormulas,
  ...ternaryFormulas,
  ...statisticsFormulas,
  ...hessianFormulas,
  ...trainingFormulas,
  ...roundTripFormulas,
  ...windowFormulas,
};
