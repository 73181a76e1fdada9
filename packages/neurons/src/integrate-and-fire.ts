/**
 * Integrate-and-fire neuron: sums its input, and fires at most one spike a step.
 *
 *     v <- v + x[t]                     charge
 *     s[t] = 1 if v >= theta, else 0    fire
 *     v <- v - s[t] theta               reset (soft)
 *
 * Driven by a constant x for T steps from v = theta / 2, it quantises x to T + 1 levels theta / T apart:
 *
 *     sum of s[t] = clip(floor(T x / theta + 1/2), 0, T)
 */
import {
  checkedNeuron,
  halfLevel,
  stateAt,
  type Neuron,
  type NeuronKind,
  type NeuronStep,
} from './neuron.ts';
import { sequence, type NeuronSequence } from './sequence.ts';

export type IfNeuron = Neuron;

/** An IF neuron. Defaults: threshold 1, soft reset. Errors: INVALID_ARGUMENT (threshold). */
export const ifNeuron = (options: Partial<IfNeuron> = {}): IfNeuron =>
  Object.freeze(checkedNeuron('ifNeuron', options));

/** One step of an IF neuron: 0 or 1 spike. */
export const ifStep: NeuronStep<IfNeuron> = (input, { membrane }, { threshold, reset }) => {
  // charge
  const charged = membrane + input;
  // fire
  const spikes = charged >= threshold ? 1 : 0;
  // reset
  return [spikes, stateAt(reset(charged, spikes, threshold))];
};

/** {@link ifStep} over a train of inputs, from half a threshold unless a state is given. */
export const ifSequence: NeuronSequence<IfNeuron> = sequence(ifStep, halfLevel);

export const integrateAndFire: NeuronKind = {
  name: 'IF',
  step: ifStep,
  initial: halfLevel,
  count: 'constant x, from theta / 2: `clip(floor(T x / theta + 1/2), 0, T)`',
  example: ifNeuron(),
};
