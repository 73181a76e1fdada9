/** Spiking linear layers of the reference backend. */
import { classCounts, gatherOrder, maxCode, packedBytes, unpackCodes } from '../codes.ts';
import type { ElementArray } from '../elements.ts';
import type { Dims } from '../kernel.ts';
import type { Implementation } from '../driver.ts';
import type { GifAttributes } from './attention.ts';
import { addBias, checkId } from './float.ts';
import { extent, gifCode, gifParameters } from './gif.ts';
import type { Codes, F32, I32 } from './kernel.ts';
import { matmulTransposed } from './matmul.ts';

export interface Coded {
  readonly codes: Codes;
  readonly scale: F32;
  readonly zero: I32;
  readonly steps: Uint8Array;
}

/** The class of each channel in gathered order. */
function gatheredClasses(steps: Uint8Array, classes: readonly number[], where: string): Uint8Array {
  const result = new Uint8Array(steps.length);
  let at = 0;
  classCounts(steps, classes, where).forEach((count, s) => result.fill(s, at, (at += count)));
  return result;
}

/** gif_encode_f32. */
export function encode(
  { x, codes, scale, zero, steps }: Coded & { x: F32 },
  { N, C, S }: Dims,
  attributes: GifAttributes,
): void {
  const { classes } = attributes;
  const order = gatherOrder(steps);
  const classOf = gatheredClasses(steps, classes, 'gif_encode_f32');
  const largest = classes.map((T) => maxCode(attributes, T));
  for (let n = 0; n < N; n++) {
    const [min, max] = extent(x, n * C, C, 1);
    gifParameters(attributes, classes, scale, zero, n * S, min, max);
    for (let c = 0; c < C; c++) {
      const s = classOf[c];
      codes[n * C + c] = gifCode(x[n * C + order[c]], scale[n * S + s], zero[n * S + s], largest[s]);
    }
  }
}

/** gif_decode_f32. */
export function decode(
  { codes, scale, zero, steps, y }: Coded & { y: F32 },
  { N, C, S }: Dims,
  { classes }: GifAttributes,
): void {
  const order = gatherOrder(steps);
  const classOf = gatheredClasses(steps, classes, 'gif_decode_f32');
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      const s = n * S + classOf[c];
      y[n * C + order[c]] = (codes[n * C + c] - zero[s]) * scale[s];
    }
  }
}

export interface PackedLinear {
  /** w - weightZero as whole numbers, [O, C], channels in gathered order. */
  readonly weight: F32;
  readonly weightScale: F32;
  readonly bias: F32 | undefined;
  readonly counts: readonly number[];
  /** Sum of `weight` over the channels of a class, [S, O]. */
  readonly sums: Float64Array;
}

export type LinearAttributes = GifAttributes & { readonly weightBits: number };

export function packLinear(
  constants: Readonly<Record<string, ElementArray>>,
  { O, C }: Dims,
  { weightBits, classes }: LinearAttributes,
  where: string,
): PackedLinear {
  const steps = (constants.steps ?? new Uint8Array(C).fill(1)) as Uint8Array;
  const order = gatherOrder(steps);
  const counts = classCounts(steps, classes, where);
  const codes = unpackCodes(constants.weight as Uint8Array, O, C, weightBits);
  const weight = new Float32Array(O * C);
  const sums = new Float64Array(counts.length * O);
  for (let o = 0; o < O; o++) {
    for (let s = 0, c = 0; s < counts.length; s++) {
      for (const end = c + counts[s]; c < end; c++) {
        weight[o * C + c] = codes[o * C + order[c]] - constants.weightZero[o];
        sums[s * O + o] += weight[o * C + c];
      }
    }
  }
  const weightScale = (constants.weightScale as F32).slice();
  return { weight, weightScale, bias: constants.bias?.slice() as F32 | undefined, counts, sums };
}

export const bytesOf = ({ weight, weightScale, bias, sums }: PackedLinear): number =>
  weight.byteLength + weightScale.byteLength + (bias?.byteLength ?? 0) + sums.byteLength;

/** linear_codes_f32: whole numbers are summed in float64, exact below 2^53. */
export const linearCodes: Implementation<ElementArray, PackedLinear> = {
  prepare: (constants, dims, attributes) =>
    packLinear(constants, dims, attributes as LinearAttributes, 'linear_codes_f32'),
  packedBytes: bytesOf,
  run: ({ operands, dims, packed }) => runLinear(operands as never, dims, packed),
};

export function runLinear(
  { codes, scale, zero, y }: Coded & { y: F32 },
  { N, O, C, S }: Dims,
  packed: PackedLinear,
): void {
  const { weight, weightScale, counts, sums, bias } = packed;
  const x = Float32Array.from(codes);
  const products = new Float64Array(N * O);
  const total = new Float64Array(N * O);
  let from = 0;
  for (let s = 0; s < S; s++) {
    matmulTransposed(x, weight, products, N, O, C, from, (from += counts[s]));
    for (let i = 0; i < products.length; i++) {
      const at = Math.floor(i / O) * S + s;
      total[i] += scale[at] * (products[i] - zero[at] * sums[s * O + (i % O)]);
    }
  }
  for (let i = 0; i < y.length; i++) y[i] = total[i] * weightScale[i % O];
  if (bias) addBias(y, bias);
}

interface PackedRows {
  readonly weight: Uint8Array;
  readonly weightScale: F32;
  readonly weightZero: I32;
}

/** embedding_packed_f32. Errors: INVALID_ARGUMENT for an id outside the table. */
export function embeddingPacked(
  { ids, weight, weightScale, weightZero, y }: PackedRows & { ids: I32; y: F32 },
  { V, C }: Dims,
  { weightBits }: { weightBits: number },
): void {
  const bytes = packedBytes(C, weightBits);
  ids.forEach((id, n) => {
    checkId('embedding_packed_f32', id, V);
    const row = unpackCodes(weight.subarray(id * bytes, (id + 1) * bytes), 1, C, weightBits);
    for (let c = 0; c < C; c++) y[n * C + c] = (row[c] - weightZero[id]) * weightScale[id];
  });
}

/** linear_packed_f32: float activations. */
export const linearPacked: Implementation<ElementArray, PackedLinear> = {
  prepare: (constants, dims, attributes) =>
    packLinear(constants, dims, { ...(attributes as LinearAttributes), classes: [1] }, 'linear_packed_f32'),
  packedBytes: bytesOf,
  run: ({ operands, dims: { N, O, C }, packed: { weight, weightScale, bias } }) => {
    const y = operands.y as F32;
    matmulTransposed(operands.x as F32, weight, y, N, O, C);
    for (let i = 0; i < y.length; i++) y[i] *= weightScale[i % O];
    if (bias) addBias(y, bias);
  },
};
