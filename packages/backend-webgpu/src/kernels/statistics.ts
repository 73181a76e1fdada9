/** Running statistics. */
import { columnAbsmax, columnDot } from '../shaders/statistics.ts';
import { groupsOf, single, type KernelCall } from './call.ts';

export const statisticsCalls = {
  column_absmax_f32: single(
    columnAbsmax,
    ({ C }) => groupsOf(C, columnAbsmax),
    ({ N, C }) => [C, N],
  ),
  column_dot_f32: single(
    columnDot,
    ({ C }) => groupsOf(C, columnDot),
    ({ N, C }) => [C, N],
  ),
} satisfies Record<string, KernelCall>;
