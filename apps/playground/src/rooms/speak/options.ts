/** What the reader chose in this room, in the URL. */
import { computed } from '@preact/signals';
import { ENERGY_45NM, type EnergyTable } from '@spikellm/evaluation';
import type { SpeakRequest } from '../../engine/reply.ts';
import { numberIn, numbersIn, text, urlSignal, wholeIn } from '../../url-state.ts';

/** 0 is all tokens. */
const ALL = 0;

export const options = {
  prompt: urlSignal('speak', 'prompt', 'Once upon a time there was a fox who', text),
  maxTokens: urlSignal('speak', 'tokens', 96, wholeIn(1, 4096)),
  temperature: urlSignal('speak', 'temperature', 0, numberIn(0, 2)),
  topK: urlSignal('speak', 'top-k', ALL, wholeIn(0, 1000)),
  topP: urlSignal('speak', 'top-p', 1, numberIn(0.05, 1)),
  /** `seed` is that of the spiking model. */
  seed: urlSignal('speak', 'draw', 0, wholeIn(0, 2 ** 32 - 1)),
};

export const wanted = computed<SpeakRequest>(() => {
  const { prompt, maxTokens, temperature, topK, topP, seed } = options;
  return {
    prompt: prompt.value,
    maxTokens: maxTokens.value,
    sampling: {
      temperature: temperature.value,
      seed: seed.value,
      topP: topP.value,
      ...(topK.value !== ALL && { topK: topK.value }),
    },
  };
});

/** What the constants of an energy estimate are for, in the order of the numbers in the URL; all are in picojoules. */
export const CONSTANTS = [
  'an addition of whole numbers of up to 8 bits',
  'a multiplication of whole numbers of up to 8 bits',
  'an addition of whole numbers of up to 32 bits',
  'a multiplication of whole numbers of up to 32 bits',
  'an addition of floats of 16 bits',
  'a multiplication of floats of 16 bits',
  'a byte of weights, read from outside the chip',
  'a byte of activations, moved within the chip',
] as const;

const constantsOf = ({ arithmetic, weightByte, activationByte }: EnergyTable): readonly number[] => [
  ...[arithmetic.int8, arithmetic.int32, arithmetic.float16].flatMap(({ add, multiply }) => [add, multiply]),
  weightByte,
  activationByte,
];

export const DEFAULT_CONSTANTS = constantsOf(ENERGY_45NM);

const anyNumbers = numbersIn(0, 1e6);
/** The constants of an energy table, in picojoules. */
export const constants = urlSignal('speak', 'energy', DEFAULT_CONSTANTS, {
  format: anyNumbers.format,
  parse(given) {
    const values = anyNumbers.parse(given);
    return values?.length === CONSTANTS.length ? values : undefined;
  },
});

export const energyTable = computed<EnergyTable>(() => {
  const { value } = constants;
  if (value.every((constant, i) => constant === DEFAULT_CONSTANTS[i])) return ENERGY_45NM;
  const [add8, multiply8, add32, multiply32, add16, multiply16, weightByte, activationByte] = value;
  return {
    source: 'constants of the reader',
    arithmetic: {
      int8: { add: add8, multiply: multiply8 },
      int32: { add: add32, multiply: multiply32 },
      float16: { add: add16, multiply: multiply16 },
    },
    weightByte,
    activationByte,
  };
});
