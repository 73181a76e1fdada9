/**
 * What the kernel table does not say about the data of a case: which values an operand may hold, and which rows of a
 * state mean something afterwards. Operands are known by their names, so a new kernel that names its operands as the
 * others do needs nothing here.
 */
import {
  gatherOrder,
  maxCode,
  packCodes,
  tritsOfRow,
  type ElementArray,
  type KernelName,
  type Dims,
  type WeightChannels,
} from '@spikellm/backend';
import type { GifFormat } from '@spikellm/backend';
import { halfBits, STYLES, type StyleName } from './data.ts';
import type { Random } from './random.ts';

export interface Blank {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly style: StyleName;
  readonly dims: Dims;
  readonly attributes: object;
  readonly random: Random;
  /** The operands that were filled before this one, in the row's order. */
  readonly filled: Readonly<Record<string, ElementArray>>;
}
/** The value at each row and column of an operand. */
export type Fill = (blank: Blank) => (row: number, column: number) => number;

type Gif = GifFormat & { readonly classes: readonly number[]; readonly weightBits: number };
const gifOf = ({ attributes }: Blank): Gif => attributes as Gif;

/** 0..largest, or only the two ends. */
const whole = ({ style, random }: Blank, largest: number): number =>
  style === 'extremes' ? random.pick([0, largest]) : random.below(largest + 1);

const steps: Fill = (blank) => () => blank.random.pick(gifOf(blank).classes);

/** `keyCodes` has the steps `keySteps`; plain `codes` are in gathered order. */
const codes: Fill = (blank) => {
  const prefix = blank.name.slice(0, -'codes'.length);
  const stepsOf = blank.filled[prefix === '' ? 'steps' : `${prefix}Steps`];
  const order = prefix === '' ? gatherOrder(stepsOf) : undefined;
  return (_, column) => whole(blank, maxCode(gifOf(blank), stepsOf[order?.[column] ?? column]));
};

const zeroPoints: Fill = (blank) => () =>
  blank.style === 'offset'
    ? blank.random.pick([-10000, -300, 10000])
    : whole(blank, 2 ** gifOf(blank).bits - 1);

/** Such that the largest code stands for about one. */
const codeScale: Fill = (blank) => {
  const largest = maxCode(gifOf(blank), gifOf(blank).classes.at(-1)!);
  return () => (0.5 + blank.random.uniform()) / largest;
};

/** Packed rows of C weights; what C bits leave of the last byte is zero. */
const packedWeight: Fill = (blank) => {
  const { rows } = blank;
  const { C } = blank.dims;
  const bits = gifOf(blank).weightBits;
  const packed = packCodes(
    Uint8Array.from({ length: rows * C }, () => whole(blank, 2 ** bits - 1)),
    rows,
    C,
    bits,
  );
  return (row, column) => packed[row * blank.columns + column];
};

const id: Fill = (blank) => () => whole(blank, blank.dims.V - 1);
const angle = (row: number, column: number): number => row / 10 ** column;

const BY_NAME: readonly (readonly [RegExp, Fill])[] = [
  [/steps$/i, steps],
  [/codes$/i, codes],
  [
    /weightScale$/i,
    ({ random }) =>
      () =>
        0.01 + random.uniform(),
  ],
  [/scale$/i, codeScale],
  [/weightZero$/i, (blank) => () => whole(blank, 2 ** gifOf(blank).weightBits - 1)],
  [/zero$/i, zeroPoints],
  [/^(ids|targets)$/, id],
  [/^cos$/, () => (row, column) => Math.cos(angle(row, column))],
  [/^sin$/, () => (row, column) => Math.sin(angle(row, column))],
  // Scores are divided by the size of the keys: a softmax of large scores is no test of arithmetic.
  [
    /^q$/,
    ({ style, random, attributes }) => {
      const draw = STYLES[style === 'ties' ? 'ties' : 'normal'].matrix(random, attributes);
      return (row, column) => draw(row, column) / Math.max(1, STYLES[style].magnitude);
    },
  ],
];

const BY_TYPE: Readonly<Record<string, Fill>> = {
  float32: ({ style, random, attributes }) => STYLES[style].matrix(random, attributes),
  float16: ({ style, random, attributes }) => {
    const draw = STYLES[style].matrix(random, attributes);
    return (row, column) => halfBits(draw(row, column));
  },
  int32: (blank) => () => whole(blank, 100) - 50,
  uint8: (blank) => () => whole(blank, 255),
  uint16: (blank) => () => whole(blank, 65535),
};

interface Recipe {
  /** Operands whose values their names and types do not tell. */
  readonly fills?: Readonly<Record<string, Fill>>;
  /** How many rows of a state mean something after the call; all, where it is not named. */
  readonly liveRows?: Readonly<Record<string, (dims: Dims, scalars: Dims) => number>>;
  /** Values to sweep an axis over, where `cases.ts` has none for its name. */
  readonly axes?: Readonly<Record<string, readonly unknown[]>>;
  /** Cases that need several axes at one value each; the first names the case. */
  readonly also?: readonly Readonly<Record<string, unknown>>[];
}

const packedLinear: Recipe = { fills: { weight: packedWeight } };
const packedLinears = (...names: readonly string[]): Recipe => ({
  fills: Object.fromEntries(names.map((name) => [name, packedWeight])),
});
/** zero times the sum of a row of weights passes 2^31. */
const beyondInt32 = { C: 4096, O: 17, data: 'offset', bits: 8, classes: [1], weightBits: 8 };

interface TernaryAttributes {
  readonly weightChannels: WeightChannels;
  readonly weightParts: number;
}

/** Steps in a random order within each group, as many of 1, 2, ... as the attributes say. */
const weightSteps: Fill = ({ random, attributes }) => {
  const { weightChannels, weightParts } = attributes as TernaryAttributes;
  const left = weightChannels.map((counts) => counts.flatMap((count, i) => Array<number>(count).fill(i + 1)));
  const columns = left[0].length / weightParts;
  return (_, column) => {
    const own = left[Math.floor(column / columns)];
    return own.splice(random.below(own.length), 1)[0];
  };
};

/** Packed trits. `zeroRows` and `extremes` have rows of one trit: 0, or +1 and -1 in turn, which make all k +T or -T. */
const trits: Fill = ({ style, random, dims, attributes, columns }) => {
  const E = tritsOfRow((attributes as TernaryAttributes).weightChannels);
  const ofRow = (row: number): number | undefined =>
    style === 'extremes' ? 2 * (row % 2) : style === 'zeroRows' && row % 2 === 0 ? 1 : undefined;
  const packed = packCodes(
    Uint8Array.from({ length: dims.O * E }, (_, i) => ofRow(Math.floor(i / E)) ?? random.below(3)),
    dims.O,
    E,
    2,
  );
  return (row, column) => packed[row * columns + column];
};

/** One class and several, up to 7 steps; rows that end in the middle of a byte and of a vector; groups of columns. */
const CHANNELS: readonly WeightChannels[] = [
  ...[1, 3, 4, 5, 8, 15, 16, 17, 63, 64, 65, 257].map((channels) => [[channels]]),
  ...[
    [0, 1],
    [0, 0, 33],
    [0, 0, 0, 0, 0, 0, 65],
    [1, 1, 1, 1, 1, 1, 1],
    [16, 16],
    [40, 0, 9],
    [9, 30, 0, 17],
    [100, 0, 0, 0, 5, 0, 31],
    [250, 0, 20],
  ].map((counts) => [counts]),
  [[1], [1], [1]],
  [[128], [128], [1]],
  [[7, 0, 9], [0, 16], [16], [3]],
  [[0, 0, 5], [5], [2, 0, 0, 1]],
  [[100, 0, 28], [128], [0, 60, 60]],
  Array.from({ length: 90 }, () => [2, 1]),
];
/** Weights of two parts: all channels in one step and in three, also in groups; steps that differ within a part. */
const PARTS: readonly WeightChannels[] = [
  [[1, 0, 1]],
  [[67, 0, 67]],
  [
    [64, 0, 64],
    [64, 0, 64],
    [9, 0, 9],
  ],
  [[30, 20, 4], [54]],
  [[32], [18]],
];
const ternaryLinear: Recipe = {
  fills: { weightSteps, weight: trits },
  axes: { weightChannels: CHANNELS, weightParts: [1] },
  also: PARTS.map((weightChannels) => ({ weightChannels, weightParts: 2 })),
};
/** Channels of one class beyond 4096, the largest codes against the largest weights. */
const beyondBlock = { weightChannels: [[4097, 0, 0, 0, 0, 0, 33]], O: 17, N: 2, data: 'extremes' };

/** Powers of two, odd sizes and products of both. */
const ROTATED = [1, 2, 3, 4, 8, 9, 12, 16, 24, 63, 64, 172, 256, 257, 384];

/** A symmetric matrix that is positive definite; every other row and column is 0 where the style has zero rows. */
const hessian: Fill = ({ style, random, columns, rows }) => {
  const wide = Array.from({ length: rows * columns }, () => random.normal());
  const size = STYLES[style].magnitude / columns;
  const isZero = (index: number): boolean => style === 'zeroRows' && index % 2 === 0;
  return (row, column) => {
    if (isZero(row) || isZero(column)) return 0;
    let dot = row === column ? columns : 0;
    for (let k = 0; k < columns; k++) dot += wide[row * columns + k] * wide[column * columns + k];
    return size * dot;
  };
};
/** None, for zero rows, which then are no part of a positive definite matrix. */
const damping: Fill =
  ({ style, random }) =>
  () =>
    style === 'zeroRows' ? 0 : random.uniform();

/** Numbers that may be divided by. */
const divisor: Fill =
  ({ random }) =>
  () =>
    random.pick([-1, 1]) * (0.5 + random.uniform());
/** Around 4, where learned clipping begins, and around 0. */
const clipping: Fill =
  ({ random }) =>
  () =>
    random.pick([0, 4]) + random.normal();
/** Scales of both signs, 1 among them. */
const scaling: Fill =
  ({ random }) =>
  () =>
    random.pick([1, -1, 0.5 + random.uniform()]);
const trainedWeight: Recipe = {
  fills: { columns: scaling, rows: scaling, upper: clipping, lower: clipping },
  axes: { weightBits: [1, 2, 3, 4, 8, 16] },
};
/** A linear input; heads; keys per channel in blocks, and over the whole window. */
const groups: Recipe = { axes: { H: [1, 2, 3, 17], block: [1, 4, 32, 1000] } };

/** Windows that end within what is summed at a time, within blocks and beyond what a cache holds. */
const attention: Recipe = {
  also: [
    { window: 60, N: 257 },
    { window: 150, N: 257, softcap: 2 },
    { window: 70, N: 65, position: 200, block: 32 },
    { window: 33, N: 65, position: 31, block: 4 },
  ],
};

const RECIPES: Partial<Record<KernelName, Recipe>> = {
  linear_codes_f32: { ...packedLinear, also: [beyondInt32] },
  linear_gif_f32: { ...packedLinear, also: [beyondInt32] },
  qkv_gif_f32: packedLinears('qWeight', 'kWeight', 'vWeight'),
  gate_up_gif_f32: packedLinears('gateWeight', 'upWeight'),
  linear_packed_f32: packedLinear,
  embedding_packed_f32: packedLinear,
  linear_ternary_codes_f32: {
    ...ternaryLinear,
    also: [...ternaryLinear.also!, { ...beyondBlock, bits: 8, classes: [1, 16] }],
  },
  linear_ternary_f32: { ...ternaryLinear, also: [...ternaryLinear.also!, beyondBlock] },
  gif_round_trip_f32: groups,
  gif_round_trip_backward_f32: groups,
  weight_round_trip_f32: trainedWeight,
  weight_round_trip_backward_f32: trainedWeight,
  hadamard_f32: { axes: { C: ROTATED } },
  cholesky_f32: { fills: { hessian, damping } },
  divide_f32: { fills: { divisor } },
  divide_backward_f32: { fills: { divisor } },
  attend_f32: attention,
  attend_gif_token_f32: attention,
  attend_gif_whole_f32: attention,
  attend_window_f32: attention,
  attend_window_backward_f32: attention,
  kv_saliency_f32: attention,
  attend_gif_block_f32: {
    ...attention,
    liveRows: { openKeys: ({ N, block }, { position }) => (position + N) % block },
  },
};

export const recipeOf = (kernel: string): Recipe => RECIPES[kernel as KernelName] ?? {};

/** How to fill an operand: its recipe's way, or that of its name, or that of its type. */
export const fillOf = (kernel: string, name: string, type: string): Fill =>
  recipeOf(kernel).fills?.[name] ?? BY_NAME.find(([pattern]) => pattern.test(name))?.[1] ?? BY_TYPE[type];
