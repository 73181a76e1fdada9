import { FLOAT_BITS, stepClasses, type SpikingConfig } from '@spikellm/graph';
import { sum } from './sum.ts';

/** What the activations at the inputs of linears cost, as means over their channels. */
export interface ActivationBits {
  /** Channels with more than one step. */
  readonly salientChannels: number;
  /** Mean steps of a channel; null where activations are float. */
  readonly averageSteps: number | null;
  /** n * mean T, that is n ((1 - p) + p T): bits of the spikes sent; 32 where activations are float. */
  readonly transmittedBits: number;
  /** n + mean log2 T, that is n + p log2 T: bits of the codes the spikes carry; 32 where activations are float. */
  readonly informationBits: number;
  /** A float32 scale and an int32 zero point for each class of channels and token, over the channels; 0 for floats. */
  readonly thresholdBits: number;
  /** All that is sent: spikes, scales and zero points. */
  readonly bitsPerActivation: number;
}

export const FLOAT32_BITS = 32;
/** A float32 scale and an int32 zero point. */
export const THRESHOLD_BITS = 64;

/** Means over the channels of all the inputs given, each a list of steps. */
export function activationBits(
  inputs: readonly Uint8Array[],
  spiking: SpikingConfig | undefined,
): ActivationBits {
  const bits = spiking?.activations.bits ?? FLOAT_BITS;
  if (bits >= FLOAT_BITS) {
    return {
      salientChannels: 0,
      averageSteps: null,
      transmittedBits: FLOAT32_BITS,
      informationBits: FLOAT32_BITS,
      thresholdBits: 0,
      bitsPerActivation: FLOAT32_BITS,
    };
  }
  const channels = sum(inputs, (steps) => steps.length);
  const mean = (of: (T: number) => number): number => sum(inputs, (steps) => sum(steps, of)) / channels;
  const averageSteps = mean((T) => T);
  const thresholdBits = (THRESHOLD_BITS * sum(inputs, (steps) => stepClasses(steps).length)) / channels;
  return {
    salientChannels: sum(inputs, (steps) => steps.filter((T) => T > 1).length),
    averageSteps,
    transmittedBits: bits * averageSteps,
    informationBits: bits + mean(Math.log2),
    thresholdBits,
    bitsPerActivation: bits * averageSteps + thresholdBits,
  };
}
