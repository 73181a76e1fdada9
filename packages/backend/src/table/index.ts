import { activationKernels } from './activations.ts';
import { floatKernels } from './float.ts';
import { fusedKernels } from './fused.ts';
import { hessianKernels } from './hessian.ts';
import { routingKernels } from './routing.ts';
import { spikingKernels } from './spiking.ts';
import { statisticsKernels } from './statistics.ts';
import { ternaryKernels } from './ternary.ts';
import { trainingKernels } from './training.ts';

/** Every kernel of the project, by name: `<operation>_<variant>_<element type>`. */
export const kernels = {
  ...floatKernels,
  ...activationKernels,
  ...routingKernels,
  ...spikingKernels,
  ...fusedKernels,
  ...ternaryKernels,
  ...statisticsKernels,
  ...hessianKernels,
  ...trainingKernels,
} as const;

export type KernelTable = typeof kernels;
export type KernelName = keyof KernelTable;
export const kernelNames = Object.keys(kernels) as KernelName[];
