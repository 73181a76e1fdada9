/** How each kernel of the table is called in C++: the order of its operands and parameters, as native/kernels say. */
import {
  activations,
  groupColumns,
  type Activation,
  type GifFormat,
  type KernelName,
  type Dims,
  type WeightChannels,
} from '@spikellm/backend';

type Gif = GifFormat & { readonly classes: readonly number[] };
export type Attributes = Gif & {
  readonly weightBits: number;
  readonly weightChannels: WeightChannels;
  readonly weightParts: number;
  readonly eps: number;
  readonly block: number;
  readonly of: Activation;
};
/** KernelParameters of a call from its dims, attributes and scalars. */
export type KernelParameters = (dims: Dims, attributes: Attributes, scalars: Dims) => number[];

export interface KernelCall {
  /** Its name in C++, where that is not the name in the table. */
  readonly native?: string;
  /** Operands by name; `packed` is what the packing kernel wrote. Without one, constants are operands as they are. */
  readonly operands: readonly string[];
  readonly parameters: KernelParameters;
  readonly pack?: Packing;
}
/** The kernel that packs the constants, once. It writes its last operand. */
export interface Packing {
  readonly kernel: string;
  readonly constants: readonly string[];
  readonly parameters: (dims: Dims, attributes: Attributes) => number[];
}

export const gif = ({ bits, range, classes }: Gif): number[] => [
  bits,
  range === 'lossless' ? 1 : 0,
  classes.length,
  ...classes,
];
/** The numbers of every attention kernel, before those of its own. */
export const heads = ({ N, H, K, D, scale, window, softcap }: Dims, position: number): number[] => [
  N,
  H,
  K,
  D,
  position,
  scale,
  window,
  softcap,
];
/** Elements of operands that are all of one size. */
export const elements: KernelParameters = ({ N, C }) => [N * C];
export const activationOf = ({ of }: Attributes): number => activations.indexOf(of);
/** Elements, then the activation. */
export const activated: KernelParameters = ({ N, C }, attributes) => [N * C, activationOf(attributes)];
/** Elements, then the cap. */
export const capped: KernelParameters = ({ N, C, cap }) => [N * C, cap];
export const rows: KernelParameters = ({ N, C }) => [N, C];
/** The groups of a token are rows of their own. */
export const normed: KernelParameters = ({ N, H, C }, { eps }) => [N * H, C, eps];

const packedOrder: Packing = {
  kernel: 'pack_order',
  constants: ['steps'],
  parameters: ({ C }, attributes) => [C, ...gif(attributes)],
};

const codesLayout = ({ O, C, S }: Dims, { weightBits }: Attributes): number[] => [O, C, weightBits, S];
const packedLinearCodes: Packing = {
  kernel: 'pack_linear_codes',
  constants: ['steps', 'weight', 'weightScale', 'weightZero', 'bias'],
  parameters: (dims, attributes) => [...codesLayout(dims, attributes), ...gif(attributes)],
};
const packedLinearFloat: Packing = {
  kernel: 'pack_linear_packed',
  constants: ['weight', 'weightScale', 'weightZero', 'bias'],
  parameters: ({ O, C }, { weightBits }) => [O, C, weightBits],
};

/** Linears on the codes of one input: their constants by their prefixes, and O of each. */
const gifLinears = (
  operands: readonly string[],
  prefixes: readonly string[],
  outputs: (dims: Dims) => number[],
  more: (attributes: Attributes) => number[] = () => [],
): KernelCall => {
  const linears = (dims: Dims, attributes: Attributes): number[] => {
    const own = outputs(dims);
    return [own.length, ...own, dims.C, attributes.weightBits, dims.S, ...gif(attributes)];
  };
  const constantsOf = (prefix: string): string[] =>
    prefix === ''
      ? ['weight', 'weightScale', 'weightZero', 'bias']
      : [`${prefix}Weight`, `${prefix}WeightScale`, `${prefix}WeightZero`, `${prefix}Bias`];
  return {
    operands,
    parameters: (dims, attributes) => [
      ...linears(dims, attributes),
      dims.N,
      attributes.eps ?? 0,
      ...more(attributes),
    ],
    pack: {
      kernel: 'pack_gif_linears',
      constants: ['steps', ...prefixes.flatMap(constantsOf)],
      parameters: linears,
    },
  };
};

/** Parts, columns of a group, weight classes, the most steps, then how many channels have weights of 1, 2, ... steps. */
const ternaryChannels = ({ W }: Dims, { weightChannels, weightParts }: Attributes): number[] => {
  const counts = Array.from({ length: Math.max(...weightChannels.map((own) => own.length)) }, (_, i) =>
    weightChannels.reduce((sum, own) => sum + (own[i] ?? 0), 0),
  );
  return [weightParts, groupColumns(weightChannels, weightParts), W, counts.length, ...counts];
};
const ternaryCodes = (dims: Dims, attributes: Attributes): number[] => [
  dims.O,
  dims.S,
  ...ternaryChannels(dims, attributes),
];
const packedTernaryCodes: Packing = {
  kernel: 'pack_linear_ternary_codes',
  constants: ['steps', 'weightSteps', 'weight', 'weightScale', 'bias'],
  parameters: (dims, attributes) => [...ternaryCodes(dims, attributes), ...gif(attributes)],
};

const ternaryFloat = (dims: Dims, attributes: Attributes): number[] => [
  dims.O,
  ...ternaryChannels(dims, attributes),
];
const packedTernaryFloat: Packing = {
  kernel: 'pack_linear_ternary',
  constants: ['weightSteps', 'weight', 'weightScale', 'bias'],
  parameters: ternaryFloat,
};

const packedClasses = (channels: (dims: Dims) => number): Packing => ({
  kernel: 'pack_classes',
  constants: ['keySteps', 'valueSteps'],
  parameters: (dims, attributes) => [channels(dims), channels(dims), ...gif(attributes)],
});
const cached = ['keyCodes', 'keyScale', 'keyZero', 'valueCodes', 'valueScale', 'valueZero'];
const spikingAttention: KernelParameters = (dims, attributes, { position }) => [
  ...heads(dims, position),
  ...gif(attributes),
];

const linearPanels: KernelCall = {
  operands: ['x', 'packed', 'y'],
  parameters: ({ O, C, N }, { weightBits }) => [O, C, weightBits, N],
  pack: packedLinearFloat,
};
/** Bytes are read as they are stored: a head borrows the table that the embedding reads. */
const linearBytes: KernelCall = {
  native: 'linear_packed_bytes',
  operands: ['x', 'weight', 'weightScale', 'weightZero', 'bias', 'y'],
  parameters: ({ N, O, C }) => [N, O, C],
};

/** A call, or the call for given attributes. */
export type AnyKernelCall = KernelCall | ((attributes: Attributes) => KernelCall);

export const kernelCalls: Partial<Record<KernelName, AnyKernelCall>> = {
  embedding_f32: { operands: ['ids', 'table', 'y'], parameters: ({ N, V, C }) => [N, V, C] },
  embedding_half_f32: { operands: ['ids', 'table', 'y'], parameters: ({ N, V, C }) => [N, V, C] },
  add_f32: { operands: ['a', 'b', 'y'], parameters: elements },
  rmsnorm_f32: { operands: ['x', 'weight', 'y'], parameters: normed },
  linear_f32: { operands: ['x', 'weight', 'bias', 'y'], parameters: ({ N, O, C }) => [N, O, C] },
  linear_half_f32: { operands: ['x', 'weight', 'bias', 'y'], parameters: ({ N, O, C }) => [N, O, C] },
  matmul_f32: { operands: ['a', 'b', 'y'], parameters: ({ N, O, C }) => [N, O, C] },
  matmul_tn_f32: { operands: ['a', 'b', 'y'], parameters: ({ N, O, C }) => [N, O, C] },
  scale_f32: { operands: ['x', 'y'], parameters: ({ N, C, factor }) => [N * C, factor] },
  softcap_f32: { operands: ['x', 'y'], parameters: capped },
  gated_f32: { operands: ['gate', 'up', 'y'], parameters: activated },
  rope_f32: {
    operands: ['x', 'cos', 'sin', 'y'],
    parameters: ({ N, H, R, D }, _, { position }) => [N, H, R, position, D],
  },
  hadamard_f32: { operands: ['x', 'y'], parameters: rows },
  attend_f32: {
    operands: ['q', 'k', 'v', 'keys', 'values', 'y'],
    parameters: (dims, _, { position }) => heads(dims, position),
  },
  cross_entropy_f32: { operands: ['logits', 'targets', 'y'], parameters: ({ N, V }) => [N, V] },
  gif_encode_f32: {
    operands: ['x', 'packed', 'codes', 'scale', 'zero'],
    parameters: ({ N, C }, attributes) => [N, C, ...gif(attributes)],
    pack: packedOrder,
  },
  gif_decode_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    parameters: ({ N, C }, attributes) => [N, C, ...gif(attributes)],
    pack: packedOrder,
  },
  linear_codes_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    parameters: (dims, attributes) => [...codesLayout(dims, attributes), ...gif(attributes), dims.N],
    pack: packedLinearCodes,
  },
  linear_gif_f32: gifLinears(['x', 'add', 'packed', 'y'], [''], ({ O }) => [O]),
  qkv_gif_f32: gifLinears(['x', 'norm', 'packed', 'q', 'k', 'v'], ['q', 'k', 'v'], ({ H, K, D }) => [
    H * D,
    K * D,
    K * D,
  ]),
  gate_up_gif_f32: gifLinears(
    ['x', 'norm', 'packed', 'y'],
    ['gate', 'up'],
    ({ O }) => [O, O],
    (attributes) => [activationOf(attributes)],
  ),
  linear_packed_f32: ({ weightBits }) => (weightBits === 8 ? linearBytes : linearPanels),
  embedding_packed_f32: {
    operands: ['ids', 'weight', 'weightScale', 'weightZero', 'y'],
    parameters: ({ N, V, C }, { weightBits }) => [N, V, C, weightBits],
  },
  linear_ternary_codes_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    parameters: (dims, attributes) => [...ternaryCodes(dims, attributes), ...gif(attributes), dims.N],
    pack: packedTernaryCodes,
  },
  linear_ternary_f32: {
    operands: ['x', 'packed', 'y'],
    parameters: (dims, attributes) => [...ternaryFloat(dims, attributes), dims.N],
    pack: packedTernaryFloat,
  },
  attend_gif_token_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed', ...cached],
    parameters: spikingAttention,
    pack: packedClasses(({ K, D }) => K * D),
  },
  attend_gif_block_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed', ...cached, 'openKeys'],
    parameters: (dims, attributes, scalars) => [
      ...spikingAttention(dims, attributes, scalars),
      attributes.block,
    ],
    pack: packedClasses(({ K, D }) => K * D),
  },
  attend_gif_whole_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed'],
    parameters: (dims, attributes) => [...heads(dims, 0), ...gif(attributes)],
    pack: packedClasses(({ H, D }) => H * D),
  },
  column_absmax_f32: { operands: ['x', 'largest'], parameters: rows },
  column_dot_f32: { operands: ['a', 'b', 'sum'], parameters: rows },
  gram_f32: { operands: ['x', 'hessian'], parameters: rows },
  cholesky_f32: { operands: ['hessian', 'damping', 'factor', 'pivot'], parameters: ({ C }) => [C] },
  kv_saliency_f32: {
    operands: ['q', 'k', 'v', 'keyScore', 'valueScore'],
    parameters: (dims) => heads(dims, 0),
  },
};
