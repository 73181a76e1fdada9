/**
 * Leaky integrate-and-fire neuron: an IF neuron that keeps only the part lambda of its membrane each step.
 *
 *     v <- lambda v + x[t]              charge
 *     s[t] = 1 if v >= theta, else 0    fire
 *     v <- v - s[t] theta               reset (soft)
 *
 * Charge leaks away with time, so its spike count depends on when the input came: it is not a quantiser, and
 * SpikeLLM does not use it. With lambda = 1 it is the IF neuron.
 */
import { SpikeError } from '@spikellm/backend';
import { atRest, checkedNeuron, stateAt, type Neuron, type NeuronKind, type NeuronStep } from './neuron.ts';
import { sequence, type NeuronSequence } from './sequence.ts';

export interface LifNeuron extends Neuron {
  /** lambda: the part of the membrane that is left after one step, dimensionless, above 0 and up to 1. */
  readonly decay: number;
}

/** An LIF neuron. Defaults: threshold 1, soft reset. Errors: INVALID_ARGUMENT (decay, threshold). */
export function lifNeuron({ decay, ...options }: Partial<Neuron> & Pick<LifNeuron, 'decay'>): LifNeuron {
  if (!(decay > 0 && decay <= 1)) {
    const expected = 'decay to be above 0 and at most 1';
    throw new SpikeError('INVALID_ARGUMENT', { where: 'lifNeuron', expected, received: String(decay) });
  }
  return Object.freeze({ ...checkedNeuron('lifNeuron', options), decay });
}

/** One step of an LIF neuron: 0 or 1 spike. */
export const lifStep: NeuronStep<LifNeuron> = (input, { membrane }, { threshold, reset, decay }) => {
  // charge
  const charged = decay * membrane + input;
  // fire
  const spikes = charged >= threshold ? 1 : 0;
  // reset
  return [spikes, stateAt(reset(charged, spikes, threshold))];
};

/** {@link lifStep} over a train of inputs, from rest unless a state is given. */
export const lifSequence: NeuronSequence<LifNeuron> = sequence(lifStep, atRest);

export const leakyIntegrateAndFire: NeuronKind<LifNeuron> = {
  name: 'leaky IF',
  step: lifStep,
  initial: atRest,
  count: 'depends on when the input came',
  example: lifNeuron({ decay: 0.9 }),
};
