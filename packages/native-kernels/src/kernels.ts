/** How each kernel of the table is called in C++: the order of its operands and numbers, as native/kernels say. */
import {
  activations,
  groupColumns,
  type Activation,
  type GifFormat,
  type KernelName,
  type Letters,
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
/** Numbers of a call from its letters, attributes and scalars. */
export type Numbers = (letters: Letters, attributes: Attributes, scalars: Letters) => number[];

export interface KernelCall {
  /** Its name in C++, where that is not the name in the table. */
  readonly native?: string;
  /** Operands by name; `packed` is what the packing kernel wrote. Without one, constants are operands as they are. */
  readonly operands: readonly string[];
  readonly numbers: Numbers;
  readonly pack?: Packing;
}
/** The kernel that packs the constants, once. It writes its last operand. */
export interface Packing {
  readonly kernel: string;
  readonly constants: readonly string[];
  readonly numbers: (letters: Letters, attributes: Attributes) => number[];
}

export const gif = ({ bits, range, classes }: Gif): number[] => [
  bits,
  range === 'lossless' ? 1 : 0,
  classes.length,
  ...classes,
];
/** The numbers of every attention kernel, before those of its own. */
export const heads = ({ N, H, K, D, scale, window, softcap }: Letters, position: number): number[] => [
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
export const elements: Numbers = ({ N, C }) => [N * C];
export const activationOf = ({ of }: Attributes): number => activations.indexOf(of);
/** Elements, then the activation. */
export const activated: Numbers = ({ N, C }, attributes) => [N * C, activationOf(attributes)];
/** Elements, then the cap. */
export const capped: Numbers = ({ N, C, cap }) => [N * C, cap];
export const rows: Numbers = ({ N, C }) => [N, C];
/** The groups of a token are rows of their own. */
export const normed: Numbers = ({ N, H, C }, { eps }) => [N * H, C, eps];

const packedOrder: Packing = {
  kernel: 'pack_order',
  constants: ['steps'],
  numbers: ({ C }, attributes) => [C, ...gif(attributes)],
};

const codesLayout = ({ O, C, S }: Letters, { weightBits }: Attributes): number[] => [O, C, weightBits, S];
const packedLinearCodes: Packing = {
  kernel: 'pack_linear_codes',
  constants: ['steps', 'weight', 'weightScale', 'weightZero', 'bias'],
  numbers: (letters, attributes) => [...codesLayout(letters, attributes), ...gif(attributes)],
};
const packedLinearFloat: Packing = {
  kernel: 'pack_linear_packed',
  constants: ['weight', 'weightScale', 'weightZero', 'bias'],
  numbers: ({ O, C }, { weightBits }) => [O, C, weightBits],
};

/** Linears on the codes of one input: their constants by their prefixes, and O of each. */
const gifLinears = (
  operands: readonly string[],
  prefixes: readonly string[],
  outputs: (letters: Letters) => number[],
  more: (attributes: Attributes) => number[] = () => [],
): KernelCall => {
  const linears = (letters: Letters, attributes: Attributes): number[] => {
    const own = outputs(letters);
    return [own.length, ...own, letters.C, attributes.weightBits, letters.S, ...gif(attributes)];
  };
  const constantsOf = (prefix: string): string[] =>
    prefix === ''
      ? ['weight', 'weightScale', 'weightZero', 'bias']
      : [`${prefix}Weight`, `${prefix}WeightScale`, `${prefix}WeightZero`, `${prefix}Bias`];
  return {
    operands,
    numbers: (letters, attributes) => [
      ...linears(letters, attributes),
      letters.N,
      attributes.eps ?? 0,
      ...more(attributes),
    ],
    pack: {
      kernel: 'pack_gif_linears',
      constants: ['steps', ...prefixes.flatMap(constantsOf)],
      numbers: linears,
    },
  };
};

/** Parts, columns of a group, weight classes, the most steps, then how many channels have weights of 1, 2, ... steps. */
const ternaryChannels = ({ W }: Letters, { weightChannels, weightParts }: Attributes): number[] => {
  const counts = Array.from({ length: Math.max(...weightChannels.map((own) => own.length)) }, (_, i) =>
    weightChannels.reduce((sum, own) => sum + (own[i] ?? 0), 0),
  );
  return [weightParts, groupColumns(weightChannels, weightParts), W, counts.length, ...counts];
};
const ternaryCodes = (letters: Letters, attributes: Attributes): number[] => [
  letters.O,
  letters.S,
  ...ternaryChannels(letters, attributes),
];
const packedTernaryCodes: Packing = {
  kernel: 'pack_linear_ternary_codes',
  constants: ['steps', 'weightSteps', 'weight', 'weightScale', 'bias'],
  numbers: (letters, attributes) => [...ternaryCodes(letters, attributes), ...gif(attributes)],
};

const ternaryFloat = (letters: Letters, attributes: Attributes): number[] => [
  letters.O,
  ...ternaryChannels(letters, attributes),
];
const packedTernaryFloat: Packing = {
  kernel: 'pack_linear_ternary',
  constants: ['weightSteps', 'weight', 'weightScale', 'bias'],
  numbers: ternaryFloat,
};

const packedClasses = (channels: (letters: Letters) => number): Packing => ({
  kernel: 'pack_classes',
  constants: ['keySteps', 'valueSteps'],
  numbers: (letters, attributes) => [channels(letters), channels(letters), ...gif(attributes)],
});
const cached = ['keyCodes', 'keyScale', 'keyZero', 'valueCodes', 'valueScale', 'valueZero'];
const spikingAttention: Numbers = (letters, attributes, { position }) => [
  ...heads(letters, position),
  ...gif(attributes),
];

const linearPanels: KernelCall = {
  operands: ['x', 'packed', 'y'],
  numbers: ({ O, C, N }, { weightBits }) => [O, C, weightBits, N],
  pack: packedLinearFloat,
};
/** Bytes are read as they are stored: a head borrows the table that the embedding reads. */
const linearBytes: KernelCall = {
  native: 'linear_packed_bytes',
  operands: ['x', 'weight', 'weightScale', 'weightZero', 'bias', 'y'],
  numbers: ({ N, O, C }) => [N, O, C],
};

/** A call, or the call for given attributes. */
export type AnyKernelCall = KernelCall | ((attributes: Attributes) => KernelCall);

export const kernelCalls: Partial<Record<KernelName, AnyKernelCall>> = {
  embedding_f32: { operands: ['ids', 'table', 'y'], numbers: ({ N, V, C }) => [N, V, C] },
  embedding_half_f32: { operands: ['ids', 'table', 'y'], numbers: ({ N, V, C }) => [N, V, C] },
  add_f32: { operands: ['a', 'b', 'y'], numbers: elements },
  rmsnorm_f32: { operands: ['x', 'weight', 'y'], numbers: normed },
  linear_f32: { operands: ['x', 'weight', 'bias', 'y'], numbers: ({ N, O, C }) => [N, O, C] },
  linear_half_f32: { operands: ['x', 'weight', 'bias', 'y'], numbers: ({ N, O, C }) => [N, O, C] },
  matmul_f32: { operands: ['a', 'b', 'y'], numbers: ({ N, O, C }) => [N, O, C] },
  matmul_tn_f32: { operands: ['a', 'b', 'y'], numbers: ({ N, O, C }) => [N, O, C] },
  scale_f32: { operands: ['x', 'y'], numbers: ({ N, C, factor }) => [N * C, factor] },
  softcap_f32: { operands: ['x', 'y'], numbers: capped },
  gated_f32: { operands: ['gate', 'up', 'y'], numbers: activated },
  rope_f32: {
    operands: ['x', 'cos', 'sin', 'y'],
    numbers: ({ N, H, R, D }, _, { position }) => [N, H, R, position, D],
  },
  hadamard_f32: { operands: ['x', 'y'], numbers: rows },
  attend_f32: {
    operands: ['q', 'k', 'v', 'keys', 'values', 'y'],
    numbers: (letters, _, { position }) => heads(letters, position),
  },
  cross_entropy_f32: { operands: ['logits', 'targets', 'y'], numbers: ({ N, V }) => [N, V] },
  gif_encode_f32: {
    operands: ['x', 'packed', 'codes', 'scale', 'zero'],
    numbers: ({ N, C }, attributes) => [N, C, ...gif(attributes)],
    pack: packedOrder,
  },
  gif_decode_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    numbers: ({ N, C }, attributes) => [N, C, ...gif(attributes)],
    pack: packedOrder,
  },
  linear_codes_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    numbers: (letters, attributes) => [...codesLayout(letters, attributes), ...gif(attributes), letters.N],
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
    numbers: ({ N, V, C }, { weightBits }) => [N, V, C, weightBits],
  },
  linear_ternary_codes_f32: {
    operands: ['codes', 'scale', 'zero', 'packed', 'y'],
    numbers: (letters, attributes) => [...ternaryCodes(letters, attributes), ...gif(attributes), letters.N],
    pack: packedTernaryCodes,
  },
  linear_ternary_f32: {
    operands: ['x', 'packed', 'y'],
    numbers: (letters, attributes) => [...ternaryFloat(letters, attributes), letters.N],
    pack: packedTernaryFloat,
  },
  attend_gif_token_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed', ...cached],
    numbers: spikingAttention,
    pack: packedClasses(({ K, D }) => K * D),
  },
  attend_gif_block_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed', ...cached, 'openKeys'],
    numbers: (letters, attributes, scalars) => [
      ...spikingAttention(letters, attributes, scalars),
      attributes.block,
    ],
    pack: packedClasses(({ K, D }) => K * D),
  },
  attend_gif_published_f32: {
    operands: ['q', 'k', 'v', 'y', 'packed'],
    numbers: (letters, attributes) => [...heads(letters, 0), ...gif(attributes)],
    pack: packedClasses(({ H, D }) => H * D),
  },
  column_absmax_f32: { operands: ['x', 'largest'], numbers: rows },
  column_dot_f32: { operands: ['a', 'b', 'sum'], numbers: rows },
  gram_f32: { operands: ['x', 'hessian'], numbers: rows },
  cholesky_f32: { operands: ['hessian', 'damping', 'factor', 'pivot'], numbers: ({ C }) => [C] },
  kv_saliency_f32: {
    operands: ['q', 'k', 'v', 'keyScore', 'valueScore'],
    numbers: (letters) => heads(letters, 0),
  },
};
