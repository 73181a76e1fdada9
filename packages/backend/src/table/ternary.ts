import { SpikeError } from '../errors.ts';
import { constant, input, kernel, optional, output, type Dims } from '../kernel.ts';
import {
  checkTrits,
  checkWeightSteps,
  tritBytes,
  weightClasses,
  weightsOfRow,
  type WeightChannels,
} from '../ternary.ts';
import { F32_SUM, INTEGER_SUM } from '../tolerance.ts';
import { count, weightChannels } from './domains.ts';
import { classDims, codes, gif, stepsOf, type Classes } from './spiking.ts';

type TernaryAttributes = { readonly weightChannels: WeightChannels; readonly weightParts: number };

/** P: parts of a weight; W: weight classes, the pairs of steps and a group that occur; E: bytes of a row of trits. */
function weightLetters({ weightChannels: channels, weightParts }: TernaryAttributes): Dims {
  if (channels.some((counts) => weightsOfRow([counts]) % weightParts !== 0)) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'weightChannels',
      expected: `groups with all their channels in each of ${weightParts} parts`,
      received: JSON.stringify(channels),
    });
  }
  return {
    P: weightParts,
    C: weightsOfRow(channels) / weightParts,
    E: tritBytes(channels),
    W: weightClasses(channels).length,
  };
}

const ternaryWeight = {
  weightSteps: {
    ...constant('uint8', ['P', 'C']),
    checkValues: (
      steps: ArrayLike<number>,
      { weightChannels: channels, weightParts }: TernaryAttributes,
      where: string,
    ) => checkWeightSteps(steps, channels, weightParts, where),
  },
  weight: {
    ...constant('uint8', ['O', 'E']),
    checkValues: (packed: ArrayLike<number>, _: object, where: string) => checkTrits(packed, where),
  },
  weightScale: constant('float32', ['O', 'W']),
  bias: optional(constant('float32', ['O'])),
};

/** How the weights of a row are laid out. */
const weightLayout = { weightChannels, weightParts: count };

/**
 * Linear layers whose weights are spikes of ternary GIF neurons, packed as in `packTrits`: k[p,o,c], a whole number of
 * -T..T with T = weightSteps[p,c], is the sum of T trits. A weight is the sum of `weightParts` parts p, one but for weights
 * whose T is not that of their channel: a part then is 0 where another part has the weight. `weightChannels` says how many
 * channels of each group of columns have T = 1, 2, ... steps, in all parts together; each pair of T and group that occurs is
 * a weight class w with a scale per output. The group of a channel is channel / (channels of the first group), rounded down.
 */
export const ternaryKernels = {
  linear_ternary_codes_f32: kernel({
    formula: `I[n,s,w,o] = sum over parts p and channels c of class s with weights of class w of (code[n,c] - zero[n,s]) k[p,o,c], an exact integer;
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
    attributes: { ...gif, ...weightLayout },
    scalars: [],
    tolerance: INTEGER_SUM,
    dims: (attributes: Classes & TernaryAttributes) => ({
      ...classDims(attributes),
      ...weightLetters(attributes),
    }),
  }),
  linear_ternary_f32: kernel({
    formula: `y[n,o] = sum_w weightScale[o,w] sum over parts p and channels c with weights of class w of x[n,c] k[p,o,c] + bias[o];
x[n,c] k[p,o,c] is x added for each spike +1 and subtracted for each spike -1`,
    source: 'additive linear layer: ternary spiking weights against float activations, arXiv 2407.04752',
    operands: { x: input('float32', ['N', 'C']), ...ternaryWeight, y: output('float32', ['N', 'O']) },
    attributes: weightLayout,
    scalars: [],
    tolerance: F32_SUM,
    dims: weightLetters,
  }),
} as const;
