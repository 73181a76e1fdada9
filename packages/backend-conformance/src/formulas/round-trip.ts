import { matrix, range, sum, type Formula, type Numbers, type Operands } from './formula.ts';
import { limit, nearestEven, quantiserOf, type GifAttributes } from './spiking.ts';

const f32 = Math.fround;

interface Grid {
  readonly scale: number;
  readonly zero: number;
  readonly top: number;
  /** Whether the scale follows the range of its group. */
  readonly follows: boolean;
}

const decoded = (x: number, { scale, zero, top }: Grid): number =>
  (limit(nearestEven(f32(x / scale)) + zero, 0, top) - zero) * scale;
const isInside = (x: number, { scale, zero, top }: Grid): number => {
  const code = nearestEven(f32(x / scale)) + zero;
  return code >= 0 && code <= top ? 1 : 0;
};
/** What one more unit of scale adds to the decoded value. */
const byScale = (x: number, grid: Grid): number =>
  decoded(x, grid) / grid.scale - isInside(x, grid) * f32(x / grid.scale);

/** 1 over their number for the elements that are equal to `end`, 0 for the others. */
const shares = (group: readonly number[], end: number): number[] => {
  const equal = group.filter((x) => x === end).length;
  return group.map((x) => (x === end ? 1 / equal : 0));
};

interface GroupAttributes extends GifAttributes {
  readonly H: number;
  readonly D: number;
  readonly block: number;
}

function gridOf(group: readonly number[], T: number, attributes: GroupAttributes): Grid {
  const { bits, range: span } = attributes;
  const { scale, zero } = quantiserOf(group, T, attributes);
  const top = span === 'lossless' ? T * (2 ** bits - 1) : T * 2 ** bits - 1;
  const spread = f32(Math.max(...group) - Math.min(...group));
  const unit = f32(spread / (span === 'lossless' ? 2 ** bits - 1 : top));
  return { scale, zero, top, follows: unit >= f32(1e-5) && unit <= 1e4 };
}

/** The places of each group in a matrix of H D columns. */
const groupsOf = (N: number, { H, D, block }: GroupAttributes): number[][] =>
  range(Math.ceil(N / block)).flatMap((b) =>
    range(H).map((h) =>
      range(N)
        .filter((n) => Math.floor(n / block) === b)
        .flatMap((n) => range(D).map((d) => (n * H + h) * D + d)),
    ),
  );

const gifRoundTrip: Formula = ({ x, steps }, { N }, attributes: GroupAttributes) => {
  const y = Array.from(x);
  for (const places of groupsOf(N, attributes)) {
    const group = places.map((i) => x[i]);
    const grids = new Map(attributes.classes.map((T) => [T, gridOf(group, T, attributes)]));
    for (const i of places) y[i] = decoded(x[i], grids.get(steps[i % steps.length])!);
  }
  return { y };
};

const gifRoundTripBackward: Formula = ({ x, steps, dy }, { N }, attributes: GroupAttributes) => {
  const dx = Array.from(x);
  for (const places of groupsOf(N, attributes)) {
    const group = places.map((i) => x[i]);
    const perT = new Map(attributes.classes.map((T) => [T, gridOf(group, T, attributes)]));
    const grids = places.map((i) => perT.get(steps[i % steps.length])!);
    // What the end of the range that moves the scale of all of them receives.
    const moved = sum(group.length, (i) =>
      grids[i].follows ? (dy[places[i]] * byScale(group[i], grids[i])) / grids[i].top : 0,
    );
    const ofMax = shares(group, Math.max(...group));
    const ofMin = shares(group, Math.min(...group));
    places.forEach((place, i) => {
      dx[place] = dy[place] * isInside(group[i], grids[i]) + moved * (ofMax[i] - ofMin[i]);
    });
  }
  return { dx };
};

/** A row of scaled weights with its grid and what clipping keeps of its ends. */
interface Row {
  readonly w: number[];
  readonly grid: Grid;
  readonly keptMax: number;
  readonly keptMin: number;
}

function rowOf(operands: Operands, o: number, C: number, weightBits: number): Row {
  const { weight, columns, rows, upper, lower } = operands;
  const w = range(C).map((c) => f32(f32(weight[o * C + c] * (columns?.[c] ?? 1)) * (rows?.[o] ?? 1)));
  const kept = (factor: Numbers | undefined): number => (factor ? f32(1 / (1 + Math.exp(-factor[o]))) : 1);
  const high = f32(kept(upper) * Math.max(...w));
  const low = f32(kept(lower) * Math.min(...w));
  const top = 2 ** weightBits - 1;
  const unit = f32(f32(high - low) / top);
  const scale = limit(unit, f32(1e-5), 1e4);
  const grid: Grid =
    high === low
      ? { scale: Math.abs(low) || 1, zero: low < 0 ? 1 : 0, top, follows: false }
      : { scale, zero: nearestEven(limit(f32(-low / scale), -1e4, 1e4)), top, follows: unit === scale };
  return { w, grid, keptMax: kept(upper), keptMin: kept(lower) };
}

type WeightAttributes = { readonly weightBits: number };

const weightRoundTrip: Formula = (operands, { O, C }, { weightBits }: WeightAttributes) => {
  const rows = range(O).map((o) => rowOf(operands, o, C, weightBits));
  const of = ({ w, grid }: Row, c: number): number => (weightBits === 16 ? w[c] : decoded(w[c], grid));
  return { y: matrix(O, C, (o, c) => of(rows[o], c)) };
};

const weightRoundTripBackward: Formula = (operands, { O, C }, { weightBits }: WeightAttributes) => {
  const { weight, columns, rows, upper, lower, dy } = operands;
  const of = range(O).map((o) => rowOf(operands, o, C, weightBits));
  const rounded = weightBits !== 16;
  const moved = of.map(({ w, grid }, o) =>
    rounded && grid.follows ? sum(C, (c) => dy[o * C + c] * byScale(w[c], grid)) / (2 ** weightBits - 1) : 0,
  );
  const dw = of.flatMap(({ w, grid, keptMax, keptMin }, o) => {
    const ofMax = shares(w, Math.max(...w));
    const ofMin = shares(w, Math.min(...w));
    return w.map(
      (x, c) =>
        dy[o * C + c] * (rounded ? isInside(x, grid) : 1) +
        moved[o] * (keptMax * ofMax[c] - keptMin * ofMin[c]),
    );
  });
  const column = (c: number): number => columns?.[c] ?? 1;
  const row = (o: number): number => rows?.[o] ?? 1;
  const at = (o: number, c: number): number => dw[o * C + c];
  const outputs: Record<string, (before: Numbers) => number[]> = {
    dweight: (before) => matrix(O, C, (o, c) => before[o * C + c] + at(o, c) * column(c) * row(o)),
    dcolumns: (before) =>
      range(C).map((c) => before[c] + sum(O, (o) => at(o, c) * weight[o * C + c] * row(o))),
    drows: (before) =>
      range(O).map((o) => before[o] + sum(C, (c) => at(o, c) * weight[o * C + c] * column(c))),
    dupper: (before) =>
      range(O).map((o) => {
        const { w, keptMax } = of[o];
        return before[o] + (upper ? keptMax * (1 - keptMax) * Math.max(...w) * moved[o] : 0);
      }),
    dlower: (before) =>
      range(O).map((o) => {
        const { w, keptMin } = of[o];
        return before[o] - (lower ? keptMin * (1 - keptMin) * Math.min(...w) * moved[o] : 0);
      }),
  };
  return Object.fromEntries(
    Object.entries(outputs)
      .filter(([name]) => operands[name])
      .map(([name, value]) => [name, value(operands[name])]),
  );
};

export const roundTripFormulas = {
  gif_round_trip_f32: gifRoundTrip,
  gif_round_trip_backward_f32: gifRoundTripBackward,
  weight_round_trip_f32: weightRoundTrip,
  weight_round_trip_backward_f32: weightRoundTripBackward,
};
