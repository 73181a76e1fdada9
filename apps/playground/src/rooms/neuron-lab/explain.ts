/** What a neuron did at one step, as a sentence. */
import { decimal } from '../../ui/format.ts';
import { isSigned, type LabNeuron, type Moment, type NeuronName, type Settings } from './neurons.ts';

export const TITLES = { if: 'IF', gif: 'GIF', ternary: 'Ternary GIF' } as const;

/** The name of a neuron under these settings. */
export const titleOf = (neuron: NeuronName, leak: number): string =>
  leak === 0 ? TITLES[neuron] : { if: 'LIF', gif: 'Leaky GIF', ternary: 'Leaky ternary GIF' }[neuron];

export function explainStart({ start }: LabNeuron): string {
  return start === 0
    ? 'Before the first step the membrane rests at 0.'
    : `Before the first step the membrane holds half a threshold, ${decimal(start)}: it turns floor into rounding.`;
}

export function explain(neuron: LabNeuron, moment: Moment, settings: Settings): string {
  const { before, input, charged } = moment;
  const { threshold, leak } = settings;
  const kept = leak === 0 ? decimal(before) : `${decimal(1 - leak)} × ${decimal(before)}`;
  const sum = `membrane ${kept} + input ${decimal(input)}`;
  const [relation, limit, limitName] = crossing(neuron, moment, threshold);
  return `${sum} = ${beside(charged, limit)} ${relation} ${limitName}: ${outcome(neuron, moment, settings)}`;
}

/** The threshold that decided: the highest one reached, or the nearest that was not. */
function crossing(
  neuron: LabNeuron,
  { charged, spikes }: Moment,
  threshold: number,
): [relation: string, limit: number, name: string] {
  const theta = decimal(threshold);
  if (isSigned(neuron)) {
    const half = decimal(threshold / 2);
    if (spikes > 0) return ['≥', threshold / 2, `half the threshold, ${half}`];
    if (spikes < 0) return ['<', -threshold / 2, `minus half the threshold, −${half}`];
    return charged < 0
      ? ['≥', -threshold / 2, `minus half the threshold, −${half}`]
      : ['<', threshold / 2, `half the threshold, ${half}`];
  }
  if (spikes === 0) return ['<', threshold, `threshold ${theta}`];
  return spikes === 1
    ? ['≥', threshold, `threshold ${theta}`]
    : ['≥', spikes * threshold, `${spikes} × threshold ${theta}`];
}

function outcome(
  { neuron, most }: LabNeuron,
  { spikes, after }: Moment,
  { threshold, reset }: Pick<Settings, 'threshold' | 'reset'>,
): string {
  if (spikes === 0) return `no spike, ${decimal(after)} stays.`;
  const spike = { if: 'spike', gif: `spike of level ${spikes}`, ternary: `spike of ${decimal(spikes)}` }[
    neuron
  ];
  // More charge than the largest spike carries: it waits for the next step.
  const full = spikes === most && after >= threshold ? ', the most it can' : '';
  return `${spike}${full}, ${reset} reset to ${decimal(after)}.`;
}

/** A sum beside the limit it is held against: in full where the rounding of floats decided. */
const beside = (value: number, limit: number): string =>
  value !== limit && decimal(value) === decimal(limit) ? String(value).replace('-', '−') : decimal(value);
