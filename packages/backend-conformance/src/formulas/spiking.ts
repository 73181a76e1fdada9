import { matrix, range, sum, type Formula, type Numbers } from './formula.ts';

export interface GifAttributes {
  readonly bits: number;
  readonly range: 'lossless' | 'saturating';
  readonly classes: readonly number[];
}
type LinearAttributes = GifAttributes & { readonly weightBits: number };

const f32 = Math.fround;
export const limit = (x: number, low: number, high: number): number => Math.max(low, Math.min(high, x));

/** The whole number nearest to x, the even one of two. */
export function nearestEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

export interface Quantiser {
  readonly scale: number;
  readonly zero: number;
  readonly code: (x: number) => number;
  readonly decode: (code: number) => number;
}

/** The quantiser of channels with T steps whose group of values is `group`. */
export function quantiserOf(
  group: readonly number[],
  T: number,
  { bits, range: span }: GifAttributes,
): Quantiser {
  const lossless = span === 'lossless';
  const smallest = Math.min(...group);
  const largest = Math.max(...group);
  const top = lossless ? T * (2 ** bits - 1) : 2 ** (bits + Math.log2(T)) - 1;

  let scale: number;
  let zero: number;
  if (lossless && smallest === largest) {
    scale = f32((largest === 0 ? 1 : Math.abs(largest)) / T);
    zero = largest < 0 ? T : 0;
  } else {
    const levels = lossless ? 2 ** bits - 1 : top;
    scale = limit(f32(f32(largest - smallest) / levels), f32(1e-5), 1e4);
    if (lossless) scale = f32(scale / T);
    zero = nearestEven(limit(f32(-smallest / scale), -1e4, 1e4));
  }
  return {
    scale,
    zero,
    code: (x) => limit(nearestEven(f32(x / scale)) + zero, 0, top),
    decode: (code) => (code - zero) * scale,
  };
}

/** Channels as codes are stored: class after class. */
export const gathered = (steps: Numbers, classes: readonly number[]): number[] =>
  classes.flatMap((T) => range(steps.length).filter((channel) => steps[channel] === T));

export const encode: Formula = ({ x, steps }, { N, C, S }, attributes: GifAttributes) => {
  const { classes } = attributes;
  const order = gathered(steps, classes);
  const rows = range(N).map((n) => range(C).map((c) => x[n * C + c]));
  const quantisers = rows.map((row) => classes.map((T) => quantiserOf(row, T, attributes)));
  return {
    codes: matrix(N, C, (n, i) => quantisers[n][classes.indexOf(steps[order[i]])].code(rows[n][order[i]])),
    scale: matrix(N, S, (n, s) => quantisers[n][s].scale),
    zero: matrix(N, S, (n, s) => quantisers[n][s].zero),
  };
};

export const decode: Formula = ({ codes, scale, zero, steps }, { N, C, S }, { classes }: GifAttributes) => {
  const order = gathered(steps, classes);
  return {
    y: matrix(N, C, (n, channel) => {
      const s = n * S + classes.indexOf(steps[channel]);
      return (codes[n * C + order.indexOf(channel)] - zero[s]) * scale[s];
    }),
  };
};

/** Code c of row o of C codes, read bit by bit. */
export function codeAt(packed: Numbers, o: number, c: number, C: number, bits: number): number {
  const rowBytes = Math.ceil((C * bits) / 8);
  return sum(bits, (b) => {
    const bit = c * bits + b;
    return ((packed[o * rowBytes + Math.floor(bit / 8)] >> (bit % 8)) & 1) * 2 ** b;
  });
}

const linearPacked: Formula = (operands, { N, C, O }, { weightBits }: { weightBits: number }) => {
  const { x, weight, weightScale, weightZero, bias } = operands;
  const w = matrix(O, C, (o, c) => codeAt(weight, o, c, C, weightBits) - weightZero[o]);
  return {
    y: matrix(N, O, (n, o) => weightScale[o] * sum(C, (c) => x[n * C + c] * w[o * C + c]) + (bias?.[o] ?? 0)),
  };
};

const embeddingPacked: Formula = (operands, { N, C }, { weightBits }: { weightBits: number }) => {
  const { ids, weight, weightScale, weightZero } = operands;
  return {
    y: matrix(N, C, (n, c) => {
      const code = codeAt(weight, ids[n], c, C, weightBits);
      return (code - weightZero[ids[n]]) * weightScale[ids[n]];
    }),
  };
};

export const linearCodes: Formula = (operands, dims, attributes: LinearAttributes, scalars) => {
  const x = decode(operands, dims, attributes as never, scalars).y;
  return linearPacked({ ...operands, x }, dims, attributes as never, scalars);
};

export const spikingFormulas = {
  gif_encode_f32: encode,
  gif_decode_f32: decode,
  linear_codes_f32: linearCodes,
  linear_packed_f32: linearPacked,
  embedding_packed_f32: embeddingPacked,
};
