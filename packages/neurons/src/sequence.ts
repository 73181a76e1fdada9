import { checkFinite } from './check.ts';
import type { Neuron, NeuronState, NeuronStep } from './neuron.ts';

/** What a neuron did over T steps. */
export interface Trace {
  /** Spikes fired at each step: [T]. */
  readonly spikes: readonly number[];
  /** Membrane after each step's reset, in the unit of the input: [T]. */
  readonly membranes: readonly number[];
  /** The state after the last step, from which another sequence may go on. */
  readonly state: NeuronState;
}

/**
 * Runs one neuron over `inputs` [T], one input a step, from `state`.
 * Errors: NOT_FINITE (an input or the membrane of `state`).
 */
export type NeuronSequence<N extends Neuron> = (
  inputs: ArrayLike<number>,
  neuron: N,
  state?: NeuronState,
) => Trace;

/**
 * The sequence form of a step function.
 *
 * @param initial - the state before the first step, where the caller gives none
 * @example
 * const fromRest = sequence(ifStep, atRest);
 * fromRest([0.5, 0.5], ifNeuron()).spikes; // [0, 1]
 */
export const sequence =
  <N extends Neuron>(step: NeuronStep<N>, initial: (neuron: N) => NeuronState): NeuronSequence<N> =>
  (inputs, neuron, state = initial(neuron)) => {
    checkFinite('sequence', 'the membrane', state.membrane);
    const spikes: number[] = [];
    const membranes: number[] = [];
    for (let t = 0; t < inputs.length; t++) {
      checkFinite('sequence', `input ${t}`, inputs[t]);
      const [fired, next] = step(inputs[t], state, neuron);
      spikes.push(fired);
      membranes.push(next.membrane);
      state = next;
    }
    return { spikes, membranes, state };
  };
