/** The neurons of `@spikellm/neurons` as this room runs them: one record for each, with every step looked at. */
import {
  atRest,
  count,
  firingStatistics,
  gifNeuron,
  gifStep,
  halfLevel,
  hardReset,
  ifNeuron,
  ifStep,
  pack,
  sequence,
  softReset,
  stateAt,
  ternaryNeuron,
  ternaryStep,
  type Neuron,
  type NeuronState,
  type NeuronStep,
  type Trace,
} from '@spikellm/neurons';

export interface Settings {
  /** L. */
  readonly levels: number;
  /** theta, in the unit of the input. */
  readonly threshold: number;
  /** The part of the membrane that is lost each step, 0 to 0.9: 1 - lambda of an LIF neuron. */
  readonly leak: number;
  readonly reset: 'soft' | 'hard';
}

export interface LabNeuron {
  readonly neuron: NeuronName;
  /** Membrane before the first step, in the unit of the input. */
  readonly start: number;
  /** The least and the most spikes of one step. */
  readonly least: number;
  readonly most: number;
  /** Bits of one spike as `pack` stores it. */
  readonly bits: number;
  /** Membranes at which the spike changes, in the unit of the input. */
  readonly thresholds: readonly number[];
  readonly run: (inputs: readonly number[]) => Trace;
}

const RESETS = { soft: softReset, hard: hardReset };

/** All neurons of the room. */
const MAKERS = {
  if: ({ threshold, leak, reset }) => ({
    least: 0,
    most: 1,
    bits: 1,
    thresholds: [threshold],
    ...runner(leaky(ifStep, leak), halfLevel, ifNeuron({ threshold, reset: RESETS[reset] })),
  }),
  gif: ({ levels, threshold, leak, reset }) => ({
    least: 0,
    most: levels,
    bits: spikeBits(levels),
    thresholds: Array.from({ length: levels }, (_, k) => (k + 1) * threshold),
    ...runner(leaky(gifStep, leak), halfLevel, gifNeuron({ levels, threshold, reset: RESETS[reset] })),
  }),
  ternary: ({ threshold, leak, reset }) => ({
    least: -1,
    most: 1,
    bits: 2,
    thresholds: [threshold / 2, -threshold / 2],
    ...runner(leaky(ternaryStep, leak), atRest, ternaryNeuron({ threshold, reset: RESETS[reset] })),
  }),
} satisfies Record<string, (settings: Settings) => Omit<LabNeuron, 'neuron'>>;
export type NeuronName = keyof typeof MAKERS;
export const NEURONS = Object.keys(MAKERS) as NeuronName[];

export const labNeuron = (neuron: NeuronName, settings: Settings): LabNeuron => ({
  neuron,
  ...MAKERS[neuron](settings),
});

/** Whether a neuron fires spikes of both signs. */
export const isSigned = ({ least }: LabNeuron): boolean => least < 0;

/** n: whole bits for the L + 1 values of a GIF step. */
export const spikeBits = (levels: number): number => Math.ceil(Math.log2(levels + 1));

/** A step before which the membrane leaks, as that of the LIF neuron does: v <- (1 - leak) v + x. */
const leaky =
  <N extends Neuron>(step: NeuronStep<N>, leak: number): NeuronStep<N> =>
  (input, { membrane }, neuron) =>
    step(input, stateAt((1 - leak) * membrane), neuron);

function runner<N extends Neuron>(
  step: NeuronStep<N>,
  initial: (neuron: N) => NeuronState,
  neuron: N,
): Pick<LabNeuron, 'start' | 'run'> {
  const run = sequence(step, initial);
  return { start: initial(neuron).membrane, run: (inputs) => run(inputs, neuron) };
}

/** One step: charge, fire, reset. Charges have the unit of the input. */
export interface Moment {
  /** From 1. */
  readonly step: number;
  readonly input: number;
  readonly before: number;
  readonly charged: number;
  readonly spikes: number;
  readonly after: number;
}

/** Every step of a neuron on an input sequence: [T]. */
export function observe({ start, run }: LabNeuron, inputs: readonly number[], leak: number): Moment[] {
  const { spikes, membranes } = run(inputs);
  return inputs.map((input, t) => {
    const before = t === 0 ? start : membranes[t - 1];
    const charged = (1 - leak) * before + input;
    return { step: t + 1, input, before, charged, spikes: spikes[t], after: membranes[t] };
  });
}

/** Where the charge of some steps went, and what their spikes take. */
export interface Account {
  /** Binary spikes: one of m levels counts as m, and -1 as one. */
  readonly fired: number;
  readonly silentSteps: number;
  /** Sum of the inputs. */
  readonly received: number;
  /** theta times the sum of the spikes. */
  readonly sent: number;
  readonly membrane: number;
  /** What neither the spikes nor the membrane have: 0 with soft reset and no leak. */
  readonly lost: number;
  readonly storedBits: number;
}

export function account(
  { start, bits, least }: LabNeuron,
  moments: readonly Moment[],
  threshold: number,
): Account {
  const spikes = moments.map((moment) => moment.spikes);
  const received = moments.reduce((sum, { input }) => sum + input, 0);
  const sent = threshold * count(spikes);
  const membrane = moments.at(-1)?.after ?? start;
  const steps = moments.length;
  const { total, silent } =
    steps === 0
      ? { total: 0, silent: 0 }
      : firingStatistics(pack(spikes, { steps, channels: 1, bits, signed: least < 0 }));
  return {
    fired: total,
    silentSteps: Math.round(silent * steps),
    received,
    sent,
    membrane,
    lost: start + received - sent - membrane,
    storedBits: steps * bits,
  };
}
