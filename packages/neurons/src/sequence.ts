import { checkFinite } from './check.ts';
import type { Neuron, NeuronState, NeuronStep } from './neuron.ts';

/** What a neuron did over T steps. */
export interface Trace<S extends NeuronState = NeuronState> {
  /** Spikes fired at each step: [T]. */
  readonly spikes: readonly number[];
  /** Membrane after each step's reset, in the unit of the input: [T]. */
  readonly membranes: readonly number[];
  /** State after each step's reset: [T]. */
  readonly states: readonly S[];
  /** The state after the last step, from which another sequence may go on. */
  readonly state: S;
}

/**
 * Runs one neuron over `inputs` [T], one input a step, from `state`.
 * Errors: NOT_FINITE (an input or a number of `state`).
 */
export type NeuronSequence<N extends Neuron, S extends NeuronState = NeuronState> = (
  inputs: ArrayLike<number>,
  neuron: N,
  state?: S,
) => Trace<S>;

/**
 * The sequence form of a step function.
 *
 * @param initial - the state before the first step, where the caller gives none
 * @example
 * const fromRest = sequence(ifStep, atRest);
 * fromRest([0.5, 0.5], ifNeuron()).spikes; // [0, 1]
 */
export const sequence =
  <N extends Neuron, S extends NeuronState>(
    step: NeuronStep<N, S>,
    initial: (neuron: N) => S,
  ): NeuronSequence<N, S> =>
  (inputs, neuron, state = initial(neuron)) => {
    for (const [name, value] of Object.entries(state)) {
      if (typeof value === 'number') checkFinite('sequence', `the ${name}`, value);
    }
    const spikes: number[] = [];
    const states: S[] = [];
    for (let t = 0; t < inputs.length; t++) {
      checkFinite('sequence', `input ${t}`, inputs[t]);
      const [fired, next] = step(inputs[t], state, neuron);
      spikes.push(fired);
      states.push(next);
      state = next;
    }
    return { spikes, membranes: states.map(({ membrane }) => membrane), states, state };
  };
