/** Rounding in training: what spikes or weight codes carry of a tensor, and the straight-through gradients. */
import { maxCode, type GifFormat } from '../codes.ts';
import type { Dims } from '../kernel.ts';
import { clamp, rint } from '../rounding.ts';
import { gifParameters } from './gif.ts';
import type { F32 } from './kernel.ts';

const f32 = Math.fround;
const SMALLEST_SCALE = f32(1e-5);
const LARGEST_SCALE = 1e4;

/** A grid of codes 0..largest, and 1 / largest where its scale follows the range of its group, else 0. */
interface Grid {
  readonly scale: number;
  readonly zero: number;
  readonly largest: number;
  readonly slope: number;
}

const decoded = (x: number, { scale, zero, largest }: Grid): number =>
  (clamp(rint(f32(x / scale)) + zero, 0, largest) - zero) * scale;

/** The derivatives of `decoded` at a fixed scale and with respect to the scale. */
function derivatives(x: number, { scale, zero, largest }: Grid): [inRange: 0 | 1, byScale: number] {
  const u = f32(x / scale);
  const code = rint(u) + zero;
  if (code < 0) return [0, -zero];
  if (code > largest) return [0, largest - zero];
  return [1, code - zero - u];
}

/** Largest and smallest of a group, how many elements have them, and what each of those receives. */
class Ends {
  min = Infinity;
  max = -Infinity;
  private mins = 0;
  private maxes = 0;

  add(x: number): void {
    if (x < this.min) [this.min, this.mins] = [x, 0];
    if (x > this.max) [this.max, this.maxes] = [x, 0];
    if (x === this.min) this.mins++;
    if (x === this.max) this.maxes++;
  }

  /** The share of x in what the smallest and the largest receive. */
  share(x: number, toMin: number, toMax: number): number {
    return (x === this.min ? toMin / this.mins : 0) + (x === this.max ? toMax / this.maxes : 0);
  }
}

type GroupAttributes = GifFormat & { readonly classes: readonly number[]; readonly block: number };

/** Calls `visit` with the places of each group: `block` tokens of the D channels of one head. */
function eachGroup({ N, H, D, block }: Dims, visit: (places: number[]) => void): void {
  for (let from = 0; from < N; from += block) {
    for (let h = 0; h < H; h++) {
      const places: number[] = [];
      for (let n = from; n < Math.min(N, from + block); n++) {
        for (let d = 0; d < D; d++) places.push((n * H + h) * D + d);
      }
      visit(places);
    }
  }
}

/** One grid per class of steps for a group of that range. */
function gifGrids(attributes: GroupAttributes, { min, max }: Ends): Grid[] {
  const { classes, range } = attributes;
  const scale = new Float32Array(classes.length);
  const zero = new Int32Array(classes.length);
  gifParameters(attributes, classes, scale, zero, 0, min, max);
  return classes.map((steps, s) => {
    const largest = maxCode(attributes, steps);
    const unit = f32(f32(max - min) / maxCode(attributes, range === 'lossless' ? 1 : steps));
    const free = unit >= SMALLEST_SCALE && unit <= LARGEST_SCALE;
    return { scale: scale[s], zero: zero[s], largest, slope: free ? 1 / largest : 0 };
  });
}

/** y = (code - zero) scale, by groups. */
export function gifRoundTrip(
  { x, steps, y }: { x: F32; steps: Uint8Array; y: F32 },
  dims: Dims,
  attributes: GroupAttributes,
): void {
  eachGroup(dims, (places) => {
    const ends = endsOf(x, places);
    const grids = gifGrids(attributes, ends);
    for (const i of places) {
      y[i] = decoded(x[i], grids[attributes.classes.indexOf(steps[i % steps.length])]);
    }
  });
}

/** dx of `gifRoundTrip`. */
export function gifRoundTripBackward(
  { x, steps, dy, dx }: { x: F32; steps: Uint8Array; dy: F32; dx: F32 },
  dims: Dims,
  attributes: GroupAttributes,
): void {
  eachGroup(dims, (places) => {
    const ends = endsOf(x, places);
    const grids = gifGrids(attributes, ends);
    let toMax = 0;
    for (const i of places) {
      const grid = grids[attributes.classes.indexOf(steps[i % steps.length])];
      toMax += dy[i] * derivatives(x[i], grid)[1] * grid.slope;
    }
    for (const i of places) {
      const grid = grids[attributes.classes.indexOf(steps[i % steps.length])];
      dx[i] = dy[i] * derivatives(x[i], grid)[0] + ends.share(x[i], -toMax, toMax);
    }
  });
}

function endsOf(x: F32, places: readonly number[]): Ends {
  const ends = new Ends();
  for (const i of places) ends.add(x[i]);
  return ends;
}

interface Weights {
  readonly weight: F32;
  readonly columns?: F32;
  readonly rows?: F32;
  readonly upper?: F32;
  readonly lower?: F32;
}

const sigmoid = (x: number): number => f32(1 / (1 + Math.exp(-x)));

/** weight columns rows of row o. */
function scaledRow({ weight, columns, rows }: Weights, o: number, C: number): F32 {
  const w = weight.slice(o * C, (o + 1) * C);
  if (columns) for (let c = 0; c < C; c++) w[c] *= columns[c];
  if (rows) for (let c = 0; c < C; c++) w[c] *= rows[o];
  return w;
}

/** The grid of a row and what clipping leaves of its ends. */
function weightGrid({ upper, lower }: Weights, o: number, { min, max }: Ends, weightBits: number): Grid {
  const low = lower ? f32(sigmoid(lower[o]) * min) : min;
  const high = upper ? f32(sigmoid(upper[o]) * max) : max;
  const largest = 2 ** weightBits - 1;
  if (low === high) return { scale: Math.abs(low) || 1, zero: low < 0 ? 1 : 0, largest, slope: 0 };
  const unit = f32(f32(high - low) / largest);
  const scale = clamp(unit, SMALLEST_SCALE, LARGEST_SCALE);
  const zero = rint(clamp(f32(-low / scale), -1e4, 1e4));
  return { scale, zero, largest, slope: unit === scale ? 1 / largest : 0 };
}

/** Weights scaled, clipped and rounded, row by row. */
export function weightRoundTrip(
  operands: Weights & { y: F32 },
  { O, C }: Dims,
  { weightBits }: { weightBits: number },
): void {
  for (let o = 0; o < O; o++) {
    const w = scaledRow(operands, o, C);
    if (weightBits < 16) {
      const grid = weightGrid(operands, o, rowEnds(w), weightBits);
      for (let c = 0; c < C; c++) w[c] = decoded(w[c], grid);
    }
    operands.y.set(w, o * C);
  }
}

/** Gradients of `weightRoundTrip`. */
export function weightRoundTripBackward(
  operands: Weights & { dy: F32 } & Partial<
      Record<'dweight' | 'dcolumns' | 'drows' | 'dupper' | 'dlower', F32>
    >,
  { O, C }: Dims,
  { weightBits }: { weightBits: number },
): void {
  const { weight, columns, rows, upper, lower, dy, dweight, dcolumns, drows, dupper, dlower } = operands;
  const columnSums = new Float64Array(C);
  for (let o = 0; o < O; o++) {
    const w = scaledRow(operands, o, C);
    const dw = Float64Array.from(dy.subarray(o * C, (o + 1) * C));
    if (weightBits < 16) {
      const ends = rowEnds(w);
      const grid = weightGrid(operands, o, ends, weightBits);
      let toRange = 0;
      for (let c = 0; c < C; c++) {
        const [inRange, byScale] = derivatives(w[c], grid);
        toRange += dw[c] * byScale * grid.slope;
        dw[c] *= inRange;
      }
      const keptMax = upper ? sigmoid(upper[o]) : 1;
      const keptMin = lower ? sigmoid(lower[o]) : 1;
      if (upper && dupper) dupper[o] += keptMax * (1 - keptMax) * ends.max * toRange;
      if (lower && dlower) dlower[o] -= keptMin * (1 - keptMin) * ends.min * toRange;
      for (let c = 0; c < C; c++) dw[c] += ends.share(w[c], -keptMin * toRange, keptMax * toRange);
    }
    const row = rows ? rows[o] : 1;
    let rowSum = 0;
    for (let c = 0; c < C; c++) {
      const column = columns ? columns[c] : 1;
      columnSums[c] += dw[c] * weight[o * C + c] * row;
      rowSum += dw[c] * weight[o * C + c] * column;
      if (dweight) dweight[o * C + c] += dw[c] * column * row;
    }
    if (drows) drows[o] += rowSum;
  }
  if (dcolumns) for (let c = 0; c < C; c++) dcolumns[c] += columnSums[c];
}

function rowEnds(w: F32): Ends {
  const ends = new Ends();
  for (const value of w) ends.add(value);
  return ends;
}
