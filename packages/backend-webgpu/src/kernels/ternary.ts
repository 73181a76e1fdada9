/** Linear layers of ternary spiking weights: packed as those of `linear_codes_f32`, a segment per class of both. */
import { groupColumns, weightClasses, weightsOfRow, type Dims, type WeightChannels } from '@spikellm/backend';
import { classMask } from '../shaders/gif.ts';
import { packTernaryRows, packTernaryWeights } from '../shaders/pack.ts';
import { linearTernary } from '../shaders/ternary.ts';
import { packTernaryOrder, ternaryLayoutWords, ternaryTableWords } from '../shaders/ternary-order.ts';
import { groupsOf, planesOf, type Attributes, type Buffers, type KernelCall } from './call.ts';
import { multiply, stage, type Arrangement } from './spiking.ts';

const countOf = (channels: WeightChannels, T: number): number =>
  channels.reduce((sum, counts) => sum + (counts[T - 1] ?? 0), 0);

/** How a weight of -T..T is stored: in 2 bits for T = 1, in 4 for T up to 7. */
const fieldOf = ({ weightChannels }: Attributes) =>
  weightChannels.every((counts) => counts.length === 1) ? { field: 2, offset: 1 } : { field: 4, offset: 7 };

/** Units of a class that S classes of spikes cut are its full ones and a part of one in each. */
function arrangementOf({ C, W }: Dims, { weightChannels }: Attributes, S: number): Arrangement {
  const U = weightClasses(weightChannels).reduce(
    (sum, { steps, group }) => sum + Math.floor(weightChannels[group][steps - 1] / 32) + S,
    0,
  );
  return { C, G: S * W, W, U };
}

function pack(
  recorder: Parameters<NonNullable<KernelCall['pack']>>[0],
  { steps, weightSteps, weight, weightScale, bias }: Buffers,
  dims: Dims,
  attributes: Attributes,
  S: number,
) {
  const { O, C, E, W } = dims;
  const { G, U } = arrangementOf(dims, attributes, S);
  const { field, offset } = fieldOf(attributes);
  const { weightChannels, weightParts } = attributes;
  const V = weightsOfRow(weightChannels);
  const groups = weightChannels.length;
  const counts = Array.from({ length: 7 }, (_, i) => countOf(weightChannels, i + 1));
  const segments = recorder.keep(ternaryLayoutWords(V, G, W));
  const weights = recorder.keep(O * U * field);
  const rows = recorder.keep(O * (2 + W + G));
  recorder.run(packTernaryOrder, {
    operands: {
      steps,
      weightSteps,
      segments,
      tables: recorder.scratch(ternaryTableWords(weightParts * groups, groups)),
    },
    params: [
      steps === undefined ? 1 : classMask(attributes),
      steps === undefined ? 0 : 1,
      V,
      C,
      groupColumns(weightChannels, weightParts),
      groups,
      G,
      W,
      ...counts,
    ],
    groups: 1,
  });
  const trits = [V, W, E, offset, ...counts];
  recorder.run(packTernaryWeights, {
    operands: { weight, segments, packed: weights },
    params: [O * U * field, U, G, field, ...trits],
    groups: groupsOf(O * U * field, packTernaryWeights),
  });
  recorder.run(packTernaryRows, {
    operands: { weight, segments, packed: rows, weightScale, bias },
    params: [O, G, bias === undefined ? 0 : 1, ...trits],
    groups: groupsOf(O, packTernaryRows),
  });
  return { segments, weights, rows };
}

export const ternaryCalls = {
  linear_ternary_codes_f32: {
    pack: (recorder, constants, dims, attributes) => pack(recorder, constants, dims, attributes, dims.S),
    run(recorder, operands, dims, attributes) {
      const arrangement = arrangementOf(dims, attributes, dims.S);
      const staged = stage(recorder, operands, dims, arrangement, attributes, false);
      const { field } = fieldOf(attributes);
      multiply(recorder, staged, dims, arrangement, field, planesOf(attributes));
    },
  },
  linear_ternary_f32: {
    pack: (recorder, constants, dims, attributes) => pack(recorder, constants, dims, attributes, 1),
    run(recorder, operands, dims, attributes) {
      const { N, O, C } = dims;
      const { G, W, U } = arrangementOf(dims, attributes, 1);
      const { field, offset } = fieldOf(attributes);
      recorder.run(linearTernary, {
        operands,
        params: [O, C, U, G, W, field, offset],
        groups: N * Math.ceil(O / 4),
        overwrites: ['y'],
      });
    },
  },
} satisfies Record<string, KernelCall>;
