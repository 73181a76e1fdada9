import { checkPositive } from './check.ts';
import { softReset, type Reset } from './reset.ts';

/**
 * The state of one neuron between two steps. A frozen record. A neuron may have more in it than a membrane, such as a
 * current or a threshold that adapts.
 */
export interface NeuronState {
  /** v: the charge held, in the unit of the input. */
  readonly membrane: number;
}

/** What all neurons have. A frozen record. Time is counted in steps and has no other unit. */
export interface Neuron {
  /** theta: the charge of one spike, in the unit of the input. */
  readonly threshold: number;
  /** What firing leaves in the membrane. */
  readonly reset: Reset;
}

/**
 * One step of one neuron: charge the state, fire, reset. A pure function.
 *
 * @returns the spikes fired, a whole number, and the next state
 */
export type NeuronStep<N extends Neuron, S extends NeuronState = NeuronState> = (
  input: number,
  state: S,
  neuron: N,
) => readonly [spikes: number, state: S];

/** A neuron as a value: what is listed in `NEURONS`. */
export interface NeuronKind<N extends Neuron = Neuron, S extends NeuronState = NeuronState> {
  /** In tables. */
  readonly name: string;
  step(input: number, state: S, neuron: N): readonly [spikes: number, state: S];
  /** The state before the first step. */
  initial(neuron: N): S;
  /** What the sum of its spikes over T steps says of its input. */
  readonly count: string;
  /** One with usual parameters. */
  readonly example: N;
}

/** A state that holds the charge `membrane`. */
export const stateAt = (membrane: number): NeuronState => Object.freeze({ membrane });

/** v = 0. */
export const atRest = (): NeuronState => stateAt(0);

/** v = theta / 2: the head start that turns the floor of a spike count into rounding to nearest. */
export const halfLevel = ({ threshold }: Neuron): NeuronState => stateAt(threshold / 2);

/** The common part of every neuron, checked: threshold 1 and soft reset unless said otherwise. */
export function checkedNeuron(where: string, { threshold = 1, reset = softReset }: Partial<Neuron>): Neuron {
  checkPositive(where, 'threshold', threshold);
  return { threshold, reset };
}
