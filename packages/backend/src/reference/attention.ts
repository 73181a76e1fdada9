/**
 * Attention of the reference backend. Every form is the same token by token loop: append k and v, attend to what is
 * there; so a prompt in one call and the same prompt in single steps are one computation.
 */
import { maxCode, type GifFormat } from '../codes.ts';
import type { Dims } from '../kernel.ts';
import { extent, gifCode, gifParameters } from './gif.ts';
import type { Codes, F32, I32 } from './kernel.ts';

export type GifAttributes = GifFormat & { readonly classes: readonly number[] };
export interface Attention {
  readonly q: F32;
  readonly k: F32;
  readonly v: F32;
  readonly y: F32;
}

/** The position of the first key that the query at position `at` sees. */
export const firstSeen = (at: number, window: number): number =>
  window === 0 ? 0 : Math.max(0, at + 1 - window);

/** A score of the scaled product s. */
export const capped = (s: number, softcap: number): number =>
  softcap === 0 ? s : softcap * Math.tanh(s / softcap);

/**
 * y = softmax(cap(q . keys scale)) values of one query token, the last of the first `count` cached tokens.
 *
 * @param keys - [count or more, width]; head `h` begins at column `columnOf(h)`
 */
export function attendToken(
  q: F32,
  y: F32,
  at: number,
  keys: F32,
  values: F32,
  count: number,
  width: number,
  dims: Dims,
  columnOf: (h: number) => number,
): void {
  const { H, D, window } = dims;
  const weights = new Float64Array(count);
  const first = firstSeen(count - 1, window);
  for (let h = 0; h < H; h++) {
    const column = columnOf(h);
    const head = at + h * D;
    softmaxScores(q, head, keys, weights, width, column, dims);
    for (let d = 0; d < D; d++) {
      let sum = 0;
      for (let t = first, j = t * width + column + d; t < count; t++, j += width)
        sum += weights[t] * values[j];
      y[head + d] = sum;
    }
  }
}

/** weights[t] = softmax over t of cap(q . keys[t] scale); those before the window are left alone. */
export function softmaxScores(
  q: F32,
  head: number,
  keys: F32,
  weights: Float64Array,
  width: number,
  column: number,
  { D, scale, window, softcap }: Dims,
): void {
  const first = firstSeen(weights.length - 1, window);
  let largest = -Infinity;
  for (let t = first; t < weights.length; t++) {
    let score = 0;
    for (let d = 0, j = t * width + column; d < D; d++) score += q[head + d] * keys[j + d];
    weights[t] = capped(score * scale, softcap);
    if (weights[t] > largest) largest = weights[t];
  }
  let sum = 0;
  for (let t = first; t < weights.length; t++) sum += weights[t] = Math.exp(weights[t] - largest);
  for (let t = first; t < weights.length; t++) weights[t] /= sum;
}

/** attend_f32: keys and values in float. */
export function attend(
  { q, k, v, keys, values, y }: Attention & { keys: F32; values: F32 },
  dims: Dims,
  _: unknown,
  { position }: Dims,
): void {
  const { N, H, K, D } = dims;
  const width = K * D;
  keys.set(k, position * width);
  values.set(v, position * width);
  const columnOf = groupedColumn(H, K, D);
  for (let n = 0; n < N; n++) {
    attendToken(q, y, n * H * D, keys, values, position + n + 1, width, dims, columnOf);
  }
}

export const groupedColumn =
  (H: number, K: number, D: number) =>
  (h: number): number =>
    Math.floor((h * K) / H) * D;

/** Codes of a cache that is quantised per token and head, with their scale and zero point per class. */
export interface TokenCodes {
  readonly codes: Codes;
  readonly scale: F32;
  readonly zero: I32;
  readonly steps: Uint8Array;
}

/** Encodes x[from .. from + K D) as the cached token `token` and writes its decoded values to `decoded`. */
export function encodeToken(
  x: F32,
  from: number,
  { codes, scale, zero, steps }: TokenCodes,
  token: number,
  decoded: F32,
  { K, D }: Dims,
  attributes: GifAttributes,
): void {
  const { classes } = attributes;
  for (let head = 0; head < K; head++) {
    const at = (token * K + head) * classes.length;
    const [min, max] = extent(x, from + head * D, D, 1);
    gifParameters(attributes, classes, scale, zero, at, min, max);
    for (let d = head * D; d < (head + 1) * D; d++) {
      const s = at + classes.indexOf(steps[d]);
      codes[token * K * D + d] = gifCode(x[from + d], scale[s], zero[s], maxCode(attributes, steps[d]));
    }
  }
  decodeToken({ codes, scale, zero, steps }, token, decoded, { K, D }, classes);
}

/** decoded[token] = (code - zero) scale, per class of the channel. */
export function decodeToken(
  { codes, scale, zero, steps }: TokenCodes,
  token: number,
  decoded: F32,
  { K, D }: Dims,
  classes: readonly number[],
): void {
  for (let d = 0; d < K * D; d++) {
    const s = (token * K + Math.floor(d / D)) * classes.length + classes.indexOf(steps[d]);
    const at = token * K * D + d;
    decoded[at] = (codes[at] - zero[s]) * scale[s];
  }
}

/** Queries as their own spikes would decode: one step per token and head. */
export function roundTripQueries(q: F32, { N, H, D }: Dims, attributes: GifAttributes): F32 {
  const rounded = new Float32Array(q.length);
  const scale = new Float32Array(1);
  const zero = new Int32Array(1);
  for (let at = 0; at < N * H * D; at += D) {
    const [min, max] = extent(q, at, D, 1);
    gifParameters(attributes, [1], scale, zero, 0, min, max);
    for (let i = at; i < at + D; i++) {
      rounded[i] = (gifCode(q[i], scale[0], zero[0], maxCode(attributes, 1)) - zero[0]) * scale[0];
    }
  }
  return rounded;
}
