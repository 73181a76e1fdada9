/** What the visitor sets in this room. */
import { batch, computed, type Signal } from '@preact/signals';
import { numberIn, numbersIn, oneOf, urlSignal, wholeIn, type Codec } from '../../url-state.ts';
import { isSigned, labNeuron, NEURONS, type Settings } from './neurons.ts';
import { INPUT, presetInput, PRESETS } from './presets.ts';

export const MOST_STEPS = 32;
export const MOST_LEVELS = 15;

const kept = <T>(name: string, fallback: T, codec: Codec<T>): Signal<T> =>
  urlSignal('neuron-lab', name, fallback, codec);

/** A multiple of a power of two, so that sums with it are exact. */
const multipleOf = (unit: number, least: number, most: number): Codec<number> => ({
  format: String,
  parse(text) {
    const value = numberIn(least, most).parse(text);
    return value !== undefined && Number.isInteger(value / unit) ? value : undefined;
  },
});

/** 1 to {@link MOST_STEPS} inputs, separated by spaces. */
export const inputs: Codec<readonly number[]> = {
  format: (values) => values.join(' '),
  parse(text) {
    const values = numbersIn(INPUT.least, INPUT.most).parse(text);
    return text.trim() !== '' && values !== undefined && values.length <= MOST_STEPS ? values : undefined;
  },
};

export const CHOICES = [...PRESETS, 'own'] as const;
export const choice = kept('input', 'sine', oneOf<(typeof CHOICES)[number]>(...CHOICES));
export const seed = kept('seed', 1, wholeIn(0, 9999));
/** What the visitor drew or typed, kept while a preset is seen, and beyond T steps. */
export const own = kept('x', [], inputs);

/** T. */
export const steps = kept('T', 16, wholeIn(1, MOST_STEPS));
/** L. */
export const levels = kept('L', 3, wholeIn(1, MOST_LEVELS));
/** theta. */
export const threshold = kept('theta', 1, multipleOf(1 / 8, 1 / 4, 2));
export const leak = kept('leak', 0, numberIn(0, 0.9));
export const reset = kept('reset', 'soft', oneOf('soft', 'hard'));
/** Steps that are revealed; all where it is more than T. */
export const revealed = kept('step', MOST_STEPS, wholeIn(0, MOST_STEPS));

/** The neuron, the drive and the range of the staircase. */
export const neuron = kept('neuron', 'gif', oneOf(...NEURONS));
export const drive = kept('drive', 'constant', oneOf('constant', 'once'));
export const range = kept('range', 'lossless', oneOf('lossless', 'saturating'));
/** p: the part of the channels that take T steps. */
export const salient = kept('salient', 0.1, numberIn(0, 1));

export const settings = computed<Settings>(() => ({
  levels: levels.value,
  threshold: threshold.value,
  leak: leak.value,
  reset: reset.value,
}));

/** The input current of each step: [T]. */
export const sequence = computed<readonly number[]>(() =>
  choice.value === 'own'
    ? Array.from({ length: steps.value }, (_, t) => own.value[t] ?? 0)
    : presetInput(choice.value, steps.value, seed.value),
);

/** Whether the neuron of the staircase fires spikes of both signs. */
export const signed = computed(() => isSigned(labNeuron(neuron.value, settings.value)));

export const shown = computed(() => Math.min(revealed.value, steps.value));

/** Makes the sequence the visitor's own, with another input at one step. */
export function setInput(t: number, value: number): void {
  if (sequence.value[t] === value) return;
  const beyond = choice.value === 'own' ? own.value.slice(steps.value) : [];
  batch(() => {
    own.value = [...sequence.value.with(t, value), ...beyond];
    choice.value = 'own';
  });
}

/** Takes a whole sequence; T becomes its length. */
export function setSequence(values: readonly number[]): void {
  batch(() => {
    own.value = values;
    choice.value = 'own';
    steps.value = values.length;
  });
}
