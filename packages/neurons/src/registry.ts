/** All neurons. To add one is to add its file and its line. */
import { generalizedIntegrateAndFire } from './gif.ts';
import { integrateAndFire } from './integrate-and-fire.ts';
import { leakyIntegrateAndFire } from './leaky.ts';
import type { NeuronKind } from './neuron.ts';
import { ternaryIntegrateAndFire } from './ternary.ts';

export const NEURONS: readonly NeuronKind[] = [
  integrateAndFire,
  leakyIntegrateAndFire,
  generalizedIntegrateAndFire,
  ternaryIntegrateAndFire,
];
