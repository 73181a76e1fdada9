import { MAX_WEIGHT_STEPS } from '@spikellm/backend';
import {
  choiceField,
  isWhole,
  numberField,
  shareField,
  switchField,
  wholeField,
  type Fields,
} from '../settings/fields.ts';

/** What gets more ternary steps. */
export const WEIGHT_UNITS = ['channel', 'element'] as const;

/** What weights become; each is a value of `kinds.ts`. The first is the default. */
export const WEIGHT_KINDS = ['integer', 'ternary'] as const;

/** Numbers of ternary steps that a budget may buy. */
export const WEIGHT_STEP_CHOICES = [1, 2, 3, 4] as const;
const MOST_BOUGHT = WEIGHT_STEP_CHOICES[3];

export interface GptqSettings {
  /** What is added to the diagonal of a Hessian, in parts of its mean. */
  readonly damping: number;
  /** Channels with large inputs first. */
  readonly actOrder: boolean;
  /** Codes of `weightBits` bits, or spikes of ternary neurons. */
  readonly weights: (typeof WEIGHT_KINDS)[number];
  /** Steps of a ternary weight, 1 to 7. */
  readonly weightSteps: number;
  /** Steps of a ternary weight in a salient input channel, 1 to 7. */
  readonly salientSteps: number;
  /** Share of the input channels of each linear whose weights are salient, or of its weights, 0 to 1. */
  readonly salientWeights: number;
  /**
   * Mean steps of a ternary weight, 1 to 4, in place of the three settings before it: 1 to 4 steps go where they lower the
   * error of a linear most.
   */
  readonly meanSteps?: number | undefined;
  /**
   * Columns of ternary weights that share scales, one for each output and number of steps: as many channels in their order,
   * but for the last group, which takes what is left. A row where it is absent.
   */
  readonly weightGroup?: number | undefined;
  /** What is salient: input channels, also where it is absent, or single weights, of `salientSteps` above `weightSteps`. */
  readonly weightUnit?: (typeof WEIGHT_UNITS)[number] | undefined;
}

/** The published damping, and the order that the authors of GPTQ added to it later; ternary weights of 1.4 mean steps. */
export const GPTQ_FIELDS: Fields<GptqSettings> = {
  damping: shareField({
    flag: '--damping <d>',
    description: 'part of the mean of a Hessian added to its diagonal',
    default: 0.01,
  }),
  actOrder: switchField({
    flag: '--no-act-order',
    description: 'take channels as they come, not those with large inputs first',
    default: true,
  }),
  weights: choiceField<GptqSettings['weights']>(
    { flag: '--weights <kind>', description: 'what weights become', default: WEIGHT_KINDS[0] },
    WEIGHT_KINDS,
  ),
  weightSteps: wholeField(
    { flag: '--weight-steps <n>', description: 'spike steps of a ternary weight', default: 1 },
    1,
    MAX_WEIGHT_STEPS,
  ),
  salientSteps: wholeField(
    { flag: '--salient-steps <n>', description: 'those of a salient weight', default: 3 },
    1,
    MAX_WEIGHT_STEPS,
  ),
  salientWeights: shareField({
    flag: '--salient-weights <p>',
    description: 'share of channels, or weights, that are salient',
    default: 0.2,
  }),
  meanSteps: numberField<number | undefined>(
    {
      flag: '--mean-steps <s>',
      older: { flag: '--equal-steps <s>' },
      description: 'mean steps of a ternary weight, spent where they help most',
      default: undefined,
    },
    `a number from 1 to ${MOST_BOUGHT}`,
    (steps) => steps >= 1 && steps <= MOST_BOUGHT,
  ),
  weightGroup: numberField<number | undefined>(
    {
      flag: '--weight-group <n>',
      description: 'columns of ternary weights that share scales; a row by default',
      default: undefined,
    },
    'a whole number of columns, 1 or more',
    isWhole(1, 2 ** 31 - 1),
  ),
  weightUnit: choiceField<GptqSettings['weightUnit']>(
    { flag: '--weight-unit <unit>', description: 'what gets more ternary steps', default: undefined },
    WEIGHT_UNITS,
  ),
};
