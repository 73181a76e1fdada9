/**
 * Generalized integrate-and-fire neuron of SpikeLLM (arXiv 2407.04752): L steps of an IF neuron merged into one, which
 * fires a spike of L levels.
 *
 *     v <- v + x[t]                                      charge
 *     s[t] = k if k theta <= v < (k + 1) theta, 0 <= k < L
 *          = L if v >= L theta, and 0 if v < 0           fire
 *     v <- v - s[t] theta                                reset (soft)
 *
 * theta is the threshold of one level. From v = theta / 2, M steps of the same charge x give what M L steps of an IF
 * neuron give with the charge x / L each:
 *
 *     sum of s[t] = clip(floor(M x / theta + 1/2), 0, M L)
 *
 * In a network it is charged once, with an integer code k at theta = 1, and left alone for the other steps: it fires
 * as much as it can, s[t] = min(v, L), until the code is spent. A spike of n bits has L = 2^n - 1.
 */
import { checkWhole } from './check.ts';
import {
  checkedNeuron,
  halfLevel,
  stateAt,
  type Neuron,
  type NeuronKind,
  type NeuronStep,
} from './neuron.ts';
import { sequence, type NeuronSequence } from './sequence.ts';

export interface GifNeuron extends Neuron {
  /** L: the most spikes of one step, a dimensionless whole number. */
  readonly levels: number;
}

/** A GIF neuron. Defaults: threshold 1, soft reset. Errors: INVALID_ARGUMENT (levels, threshold). */
export function gifNeuron({ levels, ...options }: Partial<Neuron> & Pick<GifNeuron, 'levels'>): GifNeuron {
  checkWhole('gifNeuron', 'levels', levels, 1, 65535);
  return Object.freeze({ ...checkedNeuron('gifNeuron', options), levels });
}

/** One step of a GIF neuron: 0 to `levels` spikes. */
export const gifStep: NeuronStep<GifNeuron> = (input, { membrane }, { threshold, reset, levels }) => {
  // charge
  const charged = membrane + input;
  // fire: counted level by level, for charged / threshold may round to the wrong side of a level
  let spikes = 0;
  while (spikes < levels && charged >= (spikes + 1) * threshold) spikes++;
  // reset
  return [spikes, stateAt(reset(charged, spikes, threshold))];
};

/** {@link gifStep} over a train of inputs, from half a level unless a state is given. */
export const gifSequence: NeuronSequence<GifNeuron> = sequence(gifStep, halfLevel);

export const generalizedIntegrateAndFire: NeuronKind<GifNeuron> = {
  name: 'GIF',
  step: gifStep,
  initial: halfLevel,
  count: 'constant x, from theta / 2: `clip(floor(T x / theta + 1/2), 0, T L)`',
  example: gifNeuron({ levels: 15 }),
};
