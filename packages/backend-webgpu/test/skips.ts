import type { KernelName } from '@spikellm/backend';
import type { Skip } from '@spikellm/backend-conformance';

const training = [
  'rmsnorm_backward_f32',
  'layernorm_backward_f32',
  'gated_backward_f32',
  'softcap_backward_f32',
  'activation_backward_f32',
  'route_backward_f32',
  'weigh_backward_f32',
  'attend_window_f32',
  'attend_window_backward_f32',
  'gif_round_trip_f32',
  'gif_round_trip_backward_f32',
  'weight_round_trip_f32',
  'weight_round_trip_backward_f32',
  'squared_error_f32',
  'squared_error_backward_f32',
  'cross_entropy_backward_f32',
  'embedding_backward_f32',
  'column_sum_f32',
  'divide_f32',
  'divide_backward_f32',
  'gather_f32',
  'gather_backward_f32',
] as const satisfies readonly KernelName[];

const hessians = ['gram_f32', 'cholesky_f32'] as const satisfies readonly KernelName[];

/** What this backend does not have. It runs in a page too, so it names no files. */
export const skip: Skip[] = [
  ...training.map((kernel) => ({
    kernel,
    reason: 'WebGPU runs models; training runs on the CPU and the reference backend',
  })),
  ...hessians.map((kernel) => ({
    kernel,
    reason: 'WebGPU runs models; GPTQ runs on the CPU and the reference backend',
  })),
  { kernel: 'hadamard_f32', reason: 'WebGPU does not run rotated models yet, and refuses them' },
];
