import type { Attributes, HostTensor, KernelTable, PreparedKernel, Runner } from '@spikellm/backend';

/** How a tensor [N, H D] is carried by spikes: the classes of steps of its channels, and the groups of its ranges. */
export interface SpikeRounding {
  readonly forward: PreparedKernel<'gif_round_trip_f32'>;
  readonly backward: PreparedKernel<'gif_round_trip_backward_f32'>;
}

/**
 * Prepares the rounding of a tensor with H D channels. A range spans D channels and `block` tokens: the input of a
 * linear has H = 1, heads of q, k and v their head size, both with block = 1; keys per channel have D = 1 and a block of
 * tokens, the whole window where the published quantiser is meant. It lives as long as the runner.
 *
 * @param steps - spike steps of each channel, among the classes
 */
export function createSpikeRounding(
  runner: Runner,
  attributes: Attributes<KernelTable['gif_round_trip_f32']>,
  steps: Uint8Array,
): SpikeRounding {
  const constants: { steps: HostTensor } = { steps: { type: 'uint8', data: steps, dims: [steps.length] } };
  return {
    forward: runner.prepare('gif_round_trip_f32', attributes, constants),
    backward: runner.prepare('gif_round_trip_backward_f32', attributes, constants),
  };
}
