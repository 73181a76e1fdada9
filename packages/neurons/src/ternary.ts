/**
 * Ternary GIF neuron of SpikeLLM (arXiv 2407.04752): a positive and a negative IF neuron merged into one, which fires
 * -1, 0 or +1. The paper encodes weights with it.
 *
 *     v <- v + x[t]                          charge
 *     s[t] = +1 if v >= theta / 2
 *          = -1 if v < -theta / 2, else 0    fire
 *     v <- v - s[t] theta                    reset (soft)
 *
 * Only the upper threshold fires on equality; with both, a charge of exactly theta / 2 would fire +1, -1, +1 ... for
 * ever. Charged once with w at rest, T steps quantise w to 2 T + 1 levels theta apart:
 *
 *     sum of s[t] = clip(floor(w / theta + 1/2), -T, T)
 */
import { checkedNeuron, atRest, stateAt, type Neuron, type NeuronKind, type NeuronStep } from './neuron.ts';
import { sequence, type NeuronSequence } from './sequence.ts';

export type TernaryNeuron = Neuron;

/** A ternary GIF neuron. Defaults: threshold 1, soft reset. Errors: INVALID_ARGUMENT (threshold). */
export const ternaryNeuron = (options: Partial<TernaryNeuron> = {}): TernaryNeuron =>
  Object.freeze(checkedNeuron('ternaryNeuron', options));

/** One step of a ternary GIF neuron: -1, 0 or +1 spike. */
export const ternaryStep: NeuronStep<TernaryNeuron> = (input, { membrane }, { threshold, reset }) => {
  // charge
  const charged = membrane + input;
  // fire
  const spikes = charged >= threshold / 2 ? 1 : charged < -threshold / 2 ? -1 : 0;
  // reset
  return [spikes, stateAt(reset(charged, spikes, threshold))];
};

/** {@link ternaryStep} over a train of inputs, from rest unless a state is given. */
export const ternarySequence: NeuronSequence<TernaryNeuron> = sequence(ternaryStep, atRest);

export const ternaryIntegrateAndFire: NeuronKind = {
  name: 'ternary GIF',
  step: ternaryStep,
  initial: atRest,
  count: 'charged once with w, from rest: `clip(floor(w / theta + 1/2), -T, T)`',
  example: ternaryNeuron(),
};
