import type { Decoder } from '@spikellm/graph';
import { countSpikes, type ChannelCounts, type SpikeCountOptions } from './spike-counts.ts';
import { sum } from './sum.ts';

/** How a set of activations fires, as trains of T steps that each emit 0..2^n - 1, greedy from the code. */
export interface SpikeRates {
  /** Spike levels emitted in a step, over the 2^n - 1 it could emit: 0 to 1. */
  readonly firingRate: number;
  /** Fraction of the steps that emit nothing. */
  readonly silent: number;
  /** Mean steps of a channel. */
  readonly averageSteps: number;
  /** Mean code of an activation: the levels of all its steps together. */
  readonly averageCode: number;
}

export interface SpikeStatistics extends SpikeRates {
  /** Tokens that were run. */
  readonly tokens: number;
  readonly windows: number;
  /** One entry for each encoding of an input: linears of a site with the same salient channels share one. */
  readonly inputs: readonly (SpikeRates & {
    readonly layer: number;
    readonly group: string;
    /** The linears that read it, such as `self_attn.q_proj`. */
    readonly linears: readonly string[];
  })[];
}

/**
 * How the inputs of a spiking decoder's linears fire on a text.
 *
 * In the `saturating` range a code may exceed what T steps can carry; then all steps emit their largest level.
 * Errors: UNSUPPORTED for a decoder whose activations are float, INVALID_ARGUMENT as `cutWindows`.
 *
 * @param ids - token ids of the text
 */
export async function spikeStatistics(
  decoder: Decoder,
  ids: readonly number[],
  options: SpikeCountOptions,
): Promise<SpikeStatistics> {
  const { tokens, windows, encodings } = await countSpikes(decoder, ids, options);
  const { bits } = decoder.spiking!.activations;
  return {
    ...spikeRates(encodings, tokens, bits),
    tokens,
    windows,
    inputs: encodings.map((encoding) => ({
      layer: encoding.layer,
      group: encoding.group,
      linears: encoding.linears,
      ...spikeRates([encoding], tokens, bits),
    })),
  };
}

/** How inputs fire together, from their counts over `tokens` tokens. */
export function spikeRates(inputs: readonly ChannelCounts[], tokens: number, bits: number): SpikeRates {
  const total = (of: (input: ChannelCounts) => Iterable<number>): number =>
    sum(inputs, (input) => sum(of(input), (value) => value));
  const steps = tokens * total((input) => input.steps);
  const activations = tokens * sum(inputs, (input) => input.steps.length);
  return {
    firingRate: total(({ levels }) => levels) / steps / (2 ** bits - 1),
    silent: 1 - total(({ events }) => events) / steps,
    averageSteps: steps / activations,
    averageCode: total(({ codes }) => codes) / activations,
  };
}
