import { floatKernels } from './float.ts';
import { spikingKernels } from './spiking.ts';
import { statisticsKernels } from './statistics.ts';
import { ternaryKernels } from './ternary.ts';

/** Every kernel of the project, by name: `<operation>_<variant>_<element type>`. */
export const kernels = {
  ...floatKernels,
  ...spikingKernels,
  ...ternaryKernels,
  ...statisticsKernels,
} as const;

export type KernelTable = typeof kernels;
export type KernelName = keyof KernelTable;
export const kernelNames = Object.keys(kernels) as KernelName[];
