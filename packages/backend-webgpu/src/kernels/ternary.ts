/** Linear layers of ternary spiking weights: packed as those of `linear_codes_f32`, a segment per class of both. */
import { weightClasses, type Letters } from '@spikellm/backend';
import { classMask } from '../shaders/gif.ts';
import { layoutWords, packOrder, unitsOf } from '../shaders/layout.ts';
import { packTernaryRows, packTernaryWeights } from '../shaders/pack.ts';
import { linearTernary } from '../shaders/ternary.ts';
import { groupsOf, planesOf, type Attributes, type Buffers, type KernelCall } from './call.ts';
import { multiply, stage } from './spiking.ts';

/** How a weight of -T..T is stored: in 2 bits for T = 1, in 4 for T up to 7. */
const fieldOf = ({ weightChannels }: Attributes) =>
  weightChannels.length === 1 ? { field: 2, offset: 1 } : { field: 4, offset: 7 };

function pack(
  recorder: Parameters<NonNullable<KernelCall['pack']>>[0],
  { steps, weightSteps, weight, weightScale, bias }: Buffers,
  { O, C, E, W }: Letters,
  attributes: Attributes,
  S: number,
) {
  const G = S * W;
  const U = unitsOf(C, G);
  const { field, offset } = fieldOf(attributes);
  const { weightChannels } = attributes;
  const steps7 = Array.from({ length: 7 }, (_, t) => weightChannels[t] ?? 0);
  const occurring = weightClasses(weightChannels).reduce((mask, T) => mask | (1 << T), 0);
  const segments = recorder.keep(layoutWords(C, G, true));
  const weights = recorder.keep(O * U * field);
  const rows = recorder.keep(O * (2 + W + G));
  recorder.run(packOrder, {
    operands: { steps, weightSteps, segments },
    params: [
      steps === undefined ? 1 : classMask(attributes),
      C,
      G,
      W,
      steps === undefined ? 0 : 1,
      occurring,
      ...steps7,
    ],
    groups: 1,
  });
  const trits = [C, W, E, offset, occurring, ...steps7];
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
    pack: (recorder, constants, letters, attributes) =>
      pack(recorder, constants, letters, attributes, letters.S),
    run(recorder, operands, letters, attributes) {
      const { C, S, W } = letters;
      const arrangement = { C, G: S * W, W };
      const staged = stage(recorder, operands, letters, arrangement, attributes);
      const { field } = fieldOf(attributes);
      multiply(recorder, staged, letters, arrangement, field, planesOf(attributes));
    },
  },
  linear_ternary_f32: {
    pack: (recorder, constants, letters, attributes) => pack(recorder, constants, letters, attributes, 1),
    run(recorder, operands, { N, O, C, W }, attributes) {
      const { field, offset } = fieldOf(attributes);
      recorder.run(linearTernary, {
        operands,
        params: [O, C, unitsOf(C, W), W, W, field, offset],
        groups: N * Math.ceil(O / 4),
        overwrites: ['y'],
      });
    },
  },
} satisfies Record<string, KernelCall>;
