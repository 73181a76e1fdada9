import type { KernelName } from '@spikellm/backend';
import type { KernelCall } from './call.ts';
import { attentionCalls } from './attention.ts';
import { floatCalls } from './float.ts';
import { spikingCalls } from './spiking.ts';
import { statisticsCalls } from './statistics.ts';
import { ternaryCalls } from './ternary.ts';

export type { KernelCall } from './call.ts';

/** The kernels of the table that this backend has. */
export const kernelCalls: Partial<Record<KernelName, KernelCall>> = {
  ...floatCalls,
  ...attentionCalls,
  ...spikingCalls,
  ...ternaryCalls,
  ...statisticsCalls,
};
