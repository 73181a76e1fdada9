import { constant, input, kernel, optional, output, type Letters } from '../kernel.ts';
import { checkTrits, checkWeightSteps, tritBytes, weightClasses } from '../ternary.ts';
import { F32_SUM, INTEGER_SUM } from '../tolerance.ts';
import { weightChannels } from './domains.ts';
import { classLetters, codes, gif, stepsOf, type Classes } from './spiking.ts';

type WeightChannels = { readonly weightChannels: readonly number[] };

/** W: weight classes, the values of 1, 2, ... steps that occur; E: bytes of a row of trits. */
const weightLetters = ({ weightChannels: channels }: WeightChannels): Letters => ({
  C: channels.reduce((sum, count) => sum + count, 0),
  E: tritBytes(channels),
  W: weightClasses(channels).length,
});

const ternaryWeight = {
  weightSteps: {
    ...constant('uint8', ['C']),
    checkValues: (steps: ArrayLike<number>, { weightChannels: channels }: WeightChannels, where: string) =>
      checkWeightSteps(steps, channels, where),
  },
  weight: {
    ...constant('uint8', ['O', 'E']),
    checkValues: (packed: ArrayLike<number>, _: object, where: string) => checkTrits(packed, where),
  },
  weightScale: constant('float32', ['O', 'W']),
  bias: optional(constant('float32', ['O'])),
};

/**
 * Linear layers whose weights are spikes of ternary GIF neurons, packed as in `packTrits`: k[o,c], a whole number of
 * -T..T, is the sum of T trits. `weightChannels` says how many channels have T = 1, 2, ... steps; each T that occurs is a
 * weight class w with a scale per output.
 */
export const ternaryKernels = {
  linear_ternary_codes_f32: kernel({
    formula: `I[n,s,w,o] = sum over channels c of class s with weights of class w of (code[n,c] - zero[n,s]) k[o,c], an exact integer;
y[n,o] = sum_w weightScale[o,w] sum_s scale[n,s] I[n,s,w,o] + bias[o]`,
    source: 'ternary spiking weights against spiking activations, arXiv 2407.04752',
    operands: {
      codes: input(codes, ['N', 'C']),
      scale: input('float32', ['N', 'S']),
      zero: input('int32', ['N', 'S']),
      steps: stepsOf('C'),
      ...ternaryWeight,
      y: output('float32', ['N', 'O']),
    },
    attributes: { ...gif, weightChannels },
    scalars: [],
    tolerance: INTEGER_SUM,
    letters: (attributes: Classes & WeightChannels) => ({
      ...classLetters(attributes),
      ...weightLetters(attributes),
    }),
  }),
  linear_ternary_f32: kernel({
    formula: `y[n,o] = sum_w weightScale[o,w] sum over channels c with weights of class w of x[n,c] k[o,c] + bias[o];
x[n,c] k[o,c] is x added for each spike +1 and subtracted for each spike -1`,
    source: 'additive linear layer: ternary spiking weights against float activations, arXiv 2407.04752',
    operands: { x: input('float32', ['N', 'C']), ...ternaryWeight, y: output('float32', ['N', 'O']) },
    attributes: { weightChannels },
    scalars: [],
    tolerance: F32_SUM,
    letters: weightLetters,
  }),
} as const;
