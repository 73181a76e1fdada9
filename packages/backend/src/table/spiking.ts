import { classCounts, codeType, packedBytes, type GifFormat } from '../codes.ts';
import { constant, input, kernel, optional, output, state, type Dims, type Operand } from '../kernel.ts';
import { EXACT, F32_SUM, INTEGER_SUM } from '../tolerance.ts';
import { count, gifRange, spikeBits, stepClasses, weightBits } from './domains.ts';
import { attention, checkCached, checkHeads } from './float.ts';

export type Classes = { readonly classes: readonly number[] };
type WithBlock = { readonly block: number };
type WithWeightBits = { readonly weightBits: number };

export const gif = { bits: spikeBits, range: gifRange, classes: stepClasses };
export const codes = (attributes: GifFormat & Classes): ReturnType<typeof codeType> => codeType(attributes);
export const classDims = ({ classes }: Classes): Dims => ({ S: classes.length });

/** Steps of each channel, among the classes. */
export const stepsOf = (channels: string): Operand<'constant', false> => ({
  ...constant('uint8', [channels]),
  checkValues: (steps, { classes }: Classes, where) => void classCounts(steps, classes, where),
});

/** Packed rows of C weights: codes as in `packCodes`, w[o,c] = (code[o,c] - weightZero[o]) weightScale[o]. */
const packedRows = (rows: string) => ({
  weight: constant('uint8', [rows, ({ C, weightBits: bits }: Dims) => packedBytes(C, bits)]),
  weightScale: constant('float32', [rows]),
  weightZero: constant('int32', [rows]),
});
export const packedWeight = { ...packedRows('O'), bias: optional(constant('float32', ['O'])) };

const attentionInputs = {
  q: input('float32', ['N', 'H*D']),
  k: input('float32', ['N', 'K*D']),
  v: input('float32', ['N', 'K*D']),
  y: output('float32', ['N', 'H*D']),
};
/** Cached values: codes per channel; scale and zero point per token, head and class. */
const cachedValues = {
  valueSteps: stepsOf('K*D'),
  valueCodes: state(codes, ['P', 'K*D']),
  valueScale: state('float32', ['P', 'K*S']),
  valueZero: state('int32', ['P', 'K*S']),
};

/**
 * Kernels on spikes. A channel with T steps is carried as the count of its spikes, a code k of 0..T(2^n - 1); codes are
 * stored in gathered order (`gatherOrder`): channels of one class together, rising steps.
 */
export const spikingKernels = {
  gif_encode_f32: kernel({
    formula: `per token and class T, over the FULL row: S = clamp((max x - min x) / maxCode(T), 1e-5, 1e4), for the lossless range S(T) = S(1) / T;
zero = rint(clamp(-min x / S, -1e4, 1e4)); code = clamp(rint(x / S) + zero, 0, maxCode(T)), rint half to even, all in float32.
A constant row c of the lossless range: S(T) = |c| / T (1 / T for c = 0), code = T for c > 0 else 0, zero = T for c < 0 else 0, so that it decodes to c.`,
    source: 'GIF neuron with dynamic per-token threshold, arXiv 2407.04752',
    operands: {
      x: input('float32', ['N', 'C']),
      steps: stepsOf('C'),
      codes: output(codes, ['N', 'C']),
      scale: output('float32', ['N', 'S']),
      zero: output('int32', ['N', 'S']),
    },
    attributes: gif,
    scalars: [],
    tolerance: EXACT,
    dims: classDims,
  }),
  gif_decode_f32: kernel({
    formula: 'y[n,c] = (code[n,c] - zero[n,s]) scale[n,s], s the class of channel c; back in channel order',
    source: 'decoding of a spike train by its count',
    operands: {
      codes: input(codes, ['N', 'C']),
      scale: input('float32', ['N', 'S']),
      zero: input('int32', ['N', 'S']),
      steps: stepsOf('C'),
      y: output('float32', ['N', 'C']),
    },
    attributes: gif,
    scalars: [],
    tolerance: { absolute: 0, relative: 2e-7, ofLargest: 0 },
    dims: classDims,
  }),
  linear_codes_f32: kernel({
    formula: `I[n,s,o] = sum over channels c of class s of (code[n,c] - zero[n,s]) (w[o,c] - weightZero[o]), an exact integer;
y[n,o] = weightScale[o] sum_s scale[n,s] I[n,s,o] + bias[o]`,
    source: 'spiking linear layer with one scale per token and class, arXiv 2407.04752',
    operands: {
      codes: input(codes, ['N', 'C']),
      scale: input('float32', ['N', 'S']),
      zero: input('int32', ['N', 'S']),
      steps: stepsOf('C'),
      ...packedWeight,
      y: output('float32', ['N', 'O']),
    },
    attributes: { ...gif, weightBits },
    scalars: [],
    tolerance: INTEGER_SUM,
    dims: (attributes: Classes & WithWeightBits) => classDims(attributes),
  }),
  linear_packed_f32: kernel({
    formula: 'y[n,o] = weightScale[o] sum_c x[n,c] (w[o,c] - weightZero[o]) + bias[o]',
    source: 'weight-only quantisation: float activations, packed weights',
    operands: { x: input('float32', ['N', 'C']), ...packedWeight, y: output('float32', ['N', 'O']) },
    attributes: { weightBits, C: count },
    scalars: [],
    tolerance: F32_SUM,
  }),
  embedding_packed_f32: kernel({
    formula: 'y[n,c] = (w[i,c] - weightZero[i]) weightScale[i] with i = ids[n]',
    source: 'token embedding, its rows packed as the weights of linear layers are',
    operands: {
      ids: input('int32', ['N']),
      ...packedRows('V'),
      y: output('float32', ['N', 'C']),
    },
    attributes: { weightBits, C: count },
    scalars: [],
    tolerance: { absolute: 0, relative: 2e-7, ofLargest: 0 },
  }),
  attend_gif_token_f32: kernel({
    formula: `attend_f32 on decoded spikes: q with one step per token and query head; k and v per token and key/value head with the steps of their channels`,
    source: 'spiking KV cache, arXiv 2407.04752; K per token and head, as OmniQuant has it',
    operands: {
      ...attentionInputs,
      keySteps: stepsOf('K*D'),
      keyCodes: state(codes, ['P', 'K*D']),
      keyScale: state('float32', ['P', 'K*S']),
      keyZero: state('int32', ['P', 'K*S']),
      ...cachedValues,
    },
    attributes: { ...attention, ...gif },
    scalars: ['position'],
    tolerance: F32_SUM,
    dims: classDims,
    check: checkCached,
  }),
  attend_gif_block_f32: kernel({
    formula: `as attend_gif_token_f32, but k per channel over blocks of tokens, in order for each token:
append k to the open block in float; attend to closed blocks decoded and to the open block as it is; close the block when it is full, which encodes it. Rows of openKeys from (position + N) % block on mean nothing`,
    source:
      'causal form of the per-channel K quantiser of arXiv 2407.04752: no range depends on a later token',
    operands: {
      ...attentionInputs,
      keySteps: stepsOf('K*D'),
      openKeys: state('float32', ['block', 'K*D']),
      keyCodes: state(codes, ['P', 'K*D']),
      keyScale: state('float32', [({ P, block }: Dims) => Math.ceil(P / block), 'K*D']),
      keyZero: state('int32', [({ P, block }: Dims) => Math.ceil(P / block), 'K*D']),
      ...cachedValues,
    },
    attributes: { ...attention, ...gif, block: count },
    scalars: ['position'],
    tolerance: F32_SUM,
    dims: (attributes: Classes & WithBlock) => classDims(attributes),
    check: checkCached,
  }),
  attend_gif_whole_f32: kernel({
    formula: `as attend_gif_token_f32 without a cache, but k per channel over ALL tokens of the call, and steps per channel of each QUERY head`,
    source:
      'the research code of arXiv 2407.04752. NOT causal: the range of k sees later tokens. For comparison with published perplexities only',
    operands: {
      ...attentionInputs,
      keySteps: stepsOf('H*D'),
      valueSteps: stepsOf('H*D'),
    },
    attributes: { ...attention, ...gif },
    scalars: [],
    tolerance: F32_SUM,
    dims: classDims,
    check: (dims: Dims) => checkHeads(dims),
  }),
} as const;
