/** Linear layers of ternary spiking weights of the reference backend: each spike of a weight is one addition. */
import { classCounts, gatherOrder, unpackCodes } from '../codes.ts';
import type { Implementation } from '../driver.ts';
import type { ElementArray } from '../elements.ts';
import type { Dims } from '../kernel.ts';
import { checkWeightSteps, classOfWeights, tritChannels, type WeightChannels } from '../ternary.ts';
import type { Codes, F32, I32 } from './kernel.ts';

/** The spikes of weights that are not 0, sorted by output, list and sign. */
interface Spikes {
  /** The input of each spike. */
  readonly inputs: Int32Array;
  /** Where the spikes +1 of (output, list) begin, then its spikes -1, then those of the next: [2 O lists + 1]. */
  readonly offsets: Int32Array;
  readonly weightScale: F32;
  readonly bias: F32 | undefined;
}

type Constants = Readonly<Record<string, ElementArray>>;
interface TernaryAttributes {
  readonly weightChannels: WeightChannels;
  readonly weightParts: number;
}

/** @param place - for each channel of all parts, its place in a row of inputs and its list */
function packSpikes(
  { weight, weightSteps, weightScale, bias }: Constants,
  outputs: number,
  lists: number,
  place: (channel: number) => { readonly input: number; readonly list: number },
): Spikes {
  const places = Array.from(tritChannels(weightSteps), place);
  const ofList = Array.from({ length: lists }, (): { input: number; trit: number }[] => []);
  places.forEach(({ input, list }, trit) => ofList[list].push({ input, trit }));
  const trits = unpackCodes(weight as Uint8Array, outputs, places.length, 2);
  const inputs: number[] = [];
  const offsets = [0];
  for (let o = 0; o < outputs; o++) {
    for (const list of ofList) {
      for (const spike of [2, 0]) {
        for (const { input, trit } of list) {
          if (trits[o * places.length + trit] === spike) inputs.push(input);
        }
        offsets.push(inputs.length);
      }
    }
  }
  return {
    inputs: Int32Array.from(inputs),
    offsets: Int32Array.from(offsets),
    weightScale: (weightScale as F32).slice(),
    bias: bias?.slice() as F32 | undefined,
  };
}

const bytesOf = ({ inputs, offsets, weightScale, bias }: Spikes): number =>
  inputs.byteLength + offsets.byteLength + weightScale.byteLength + (bias?.byteLength ?? 0);

/** All that happens to numbers in {@link addFloats}, so that a test can count it. */
export interface Arithmetic {
  readonly add: (a: number, b: number) => number;
  readonly subtract: (a: number, b: number) => number;
  readonly multiply: (a: number, b: number) => number;
}

const FLOAT64: Arithmetic = { add: (a, b) => a + b, subtract: (a, b) => a - b, multiply: (a, b) => a * b };

/** The sum of x over the spikes +1 less that over the spikes -1 of list `index` = output times lists plus list. */
function addSpikes(
  x: ArrayLike<number>,
  from: number,
  { inputs, offsets }: Spikes,
  index: number,
  { add, subtract } = FLOAT64,
): number {
  const [plus, minus, end] = [offsets[2 * index], offsets[2 * index + 1], offsets[2 * index + 2]];
  let sum = 0;
  for (let i = plus; i < minus; i++) sum = add(sum, x[from + inputs[i]]);
  for (let i = minus; i < end; i++) sum = subtract(sum, x[from + inputs[i]]);
  return sum;
}

/** The sum of the spikes of a list: what it adds for an input of 1. */
const spikeCount = ({ offsets }: Spikes, index: number): number =>
  2 * offsets[2 * index + 1] - offsets[2 * index] - offsets[2 * index + 2];

/** For each channel of all parts the index of its weight class. */
function checkedClasses(
  weightSteps: ArrayLike<number>,
  { weightChannels, weightParts }: TernaryAttributes,
  where: string,
): Int32Array {
  checkWeightSteps(weightSteps, weightChannels, weightParts, where);
  return classOfWeights(weightSteps, weightChannels, weightParts);
}

/** linear_ternary_f32: a list is a weight class. */
export const linearTernary: Implementation<ElementArray, Spikes> = {
  prepare(constants, { O, C, W }, attributes) {
    const classes = checkedClasses(constants.weightSteps, attributes as never, 'linear_ternary_f32');
    return packSpikes(constants, O, W, (channel) => ({ input: channel % C, list: classes[channel] }));
  },
  packedBytes: bytesOf,
  run: ({ operands, dims, packed }) => addFloats(operands as never, dims, packed),
};

/** For each token one addition a spike; for each output and class one product, which is added to the output. */
export function addFloats(
  { x, y }: { x: F32; y: F32 },
  { N, C, O, W }: Dims,
  packed: Spikes,
  arithmetic = FLOAT64,
): void {
  const { add, multiply } = arithmetic;
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      let total = packed.bias?.[o] ?? 0;
      for (let w = 0; w < W; w++) {
        const sum = addSpikes(x, n * C, packed, o * W + w, arithmetic);
        total = add(total, multiply(packed.weightScale[o * W + w], sum));
      }
      y[n * O + o] = total;
    }
  }
}

/** linear_ternary_codes_f32: a list is a class of activations and a weight class. */
export const linearTernaryCodes: Implementation<ElementArray, Spikes> = {
  prepare(constants, { O, C, S, W }, attributes) {
    const { classes } = attributes as { readonly classes: readonly number[] };
    const steps = constants.steps as Uint8Array;
    const where = 'linear_ternary_codes_f32';
    classCounts(steps, classes, where);
    const ofWeights = checkedClasses(constants.weightSteps, attributes as never, where);
    const gathered = new Int32Array(steps.length);
    gatherOrder(steps).forEach((channel, at) => (gathered[channel] = at));
    return packSpikes(constants, O, S * W, (channel) => ({
      input: gathered[channel % C],
      list: classes.indexOf(steps[channel % C]) * W + ofWeights[channel],
    }));
  },
  packedBytes: bytesOf,
  run: ({ operands, dims, packed }) => addCodes(operands as never, dims, packed),
};

/** Whole numbers are summed in float64, exact below 2^53. */
function addCodes(
  { codes, scale, zero, y }: { codes: Codes; scale: F32; zero: I32; y: F32 },
  { N, C, O, S, W }: Dims,
  packed: Spikes,
): void {
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      let total = packed.bias?.[o] ?? 0;
      for (let s = 0; s < S; s++) {
        for (let w = 0; w < W; w++) {
          const list = (o * S + s) * W + w;
          const integer = addSpikes(codes, n * C, packed, list) - zero[n * S + s] * spikeCount(packed, list);
          total += packed.weightScale[o * W + w] * (scale[n * S + s] * integer);
        }
      }
      y[n * O + o] = total;
    }
  }
}
