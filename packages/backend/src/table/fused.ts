import { packedBytes } from '../codes.ts';
import { constant, input, kernel, optional, output, type Dims, type Operand } from '../kernel.ts';
import { INTEGER_SUM } from '../tolerance.ts';
import { activation, positive, weightBits } from './domains.ts';
import { heads } from './float.ts';
import { classDims, gif, packedWeight, stepsOf, type Classes } from './spiking.ts';

type WithWeightBits = { readonly weightBits: number };
type PackedWeight<Prefix extends string> = Readonly<
  Record<`${Prefix}Weight` | `${Prefix}WeightScale` | `${Prefix}WeightZero`, Operand<'constant', false>> &
    Record<`${Prefix}Bias`, Operand<'constant', true>>
>;

/** The operands of `packedWeight` for one of several linears: `qWeight`, `qWeightScale`, `qWeightZero`, `qBias`. */
const packedWeightOf = <Prefix extends string>(prefix: Prefix, outputs: string): PackedWeight<Prefix> =>
  ({
    [`${prefix}Weight`]: constant('uint8', [
      outputs,
      ({ C, weightBits: bits }: Dims) => packedBytes(C, bits),
    ]),
    [`${prefix}WeightScale`]: constant('float32', [outputs]),
    [`${prefix}WeightZero`]: constant('int32', [outputs]),
    [`${prefix}Bias`]: optional(constant('float32', [outputs])),
  }) as PackedWeight<Prefix>;

/** The constants of one of several linears by the names that a kernel of one linear has for them. */
export const weightOf = <T>(constants: Readonly<Record<string, T>>, prefix: string) => ({
  steps: constants.steps,
  weight: constants[`${prefix}Weight`],
  weightScale: constants[`${prefix}WeightScale`],
  weightZero: constants[`${prefix}WeightZero`],
  bias: constants[`${prefix}Bias`],
});

const normed = { x: input('float32', ['N', 'C']), norm: input('float32', ['C']), steps: stepsOf('C') };
const dims = (attributes: Classes & WithWeightBits): Dims => classDims(attributes);

/** Composites of spiking linear layers and what stands before and after them, so that a token takes few kernels. */
export const fusedKernels = {
  linear_gif_f32: kernel({
    formula: 'linear_codes_f32 of gif_encode_f32, plus add',
    source: 'a linear layer that is the only reader of its input, and the residual stream it adds to',
    operands: {
      x: input('float32', ['N', 'C']),
      steps: stepsOf('C'),
      ...packedWeight,
      add: optional(input('float32', ['N', 'O'])),
      y: output('float32', ['N', 'O']),
    },
    attributes: { ...gif, weightBits },
    scalars: [],
    tolerance: INTEGER_SUM,
    dims,
  }),
  qkv_gif_f32: kernel({
    formula:
      'z = gif_encode_f32 of rmsnorm_f32 of x by norm; q, k, v = linear_codes_f32 of z by their weights',
    source: 'the linears that feed an attention, where they share their spikes',
    operands: {
      ...normed,
      ...packedWeightOf('q', 'H*D'),
      ...packedWeightOf('k', 'K*D'),
      ...packedWeightOf('v', 'K*D'),
      q: output('float32', ['N', 'H*D']),
      k: output('float32', ['N', 'K*D']),
      v: output('float32', ['N', 'K*D']),
    },
    attributes: { ...heads, ...gif, weightBits, eps: positive },
    scalars: [],
    tolerance: INTEGER_SUM,
    dims,
  }),
  gate_up_gif_f32: kernel({
    formula:
      'z = gif_encode_f32 of rmsnorm_f32 of x by norm; y = gated_f32 of linear_codes_f32 of z by the weights of gate and of up',
    source: 'the first half of a gated layer, where gate and up share their spikes',
    operands: {
      ...normed,
      ...packedWeightOf('gate', 'O'),
      ...packedWeightOf('up', 'O'),
      y: output('float32', ['N', 'O']),
    },
    attributes: { ...gif, weightBits, eps: positive, of: activation },
    scalars: [],
    // A rounding of the gate goes through exp and meets that of up.
    tolerance: { absolute: 1e-7, relative: 4e-6, ofLargest: 2e-6 },
    dims,
  }),
} as const;
