/** Attention over spiking keys and values; what differs between the forms is how a key gets its threshold. */
import { maxCode } from '../codes.ts';
import type { Dims } from '../kernel.ts';
import {
  attendToken,
  decodeToken,
  encodeToken,
  groupedColumn,
  roundTripQueries,
  type Attention,
  type GifAttributes,
} from './attention.ts';
import { extent, gifCode, gifParameters } from './gif.ts';
import type { Codes, F32, I32 } from './kernel.ts';

interface CodedValues {
  readonly valueSteps: Uint8Array;
  readonly valueCodes: Codes;
  readonly valueScale: F32;
  readonly valueZero: I32;
}
interface CodedKeys {
  readonly keySteps: Uint8Array;
  readonly keyCodes: Codes;
  readonly keyScale: F32;
  readonly keyZero: I32;
}

/** attend_gif_token_f32: thresholds per token and head for keys and values. */
export function attendTokens(
  operands: Attention & CodedKeys & CodedValues,
  dims: Dims,
  attributes: GifAttributes,
  { position }: Dims,
): void {
  const { k, v, y } = operands;
  const { N, H, K, D } = dims;
  const width = K * D;
  const keyCache = {
    codes: operands.keyCodes,
    scale: operands.keyScale,
    zero: operands.keyZero,
    steps: operands.keySteps,
  };
  const valueCache = valuesOf(operands);
  const keys = new Float32Array((position + N) * width);
  const values = new Float32Array((position + N) * width);
  for (let t = 0; t < position; t++) {
    decodeToken(keyCache, t, keys, dims, attributes.classes);
    decodeToken(valueCache, t, values, dims, attributes.classes);
  }
  const q = roundTripQueries(operands.q, dims, attributes);
  for (let n = 0; n < N; n++) {
    const t = position + n;
    encodeToken(k, n * width, keyCache, t, keys, dims, attributes);
    encodeToken(v, n * width, valueCache, t, values, dims, attributes);
    attendToken(q, y, n * H * D, keys, values, t + 1, width, dims, groupedColumn(H, K, D));
  }
}

const valuesOf = ({ valueCodes, valueScale, valueZero, valueSteps }: CodedValues) => ({
  codes: valueCodes,
  scale: valueScale,
  zero: valueZero,
  steps: valueSteps,
});

/** attend_gif_block_f32: key thresholds per channel over closed blocks, the open block in float. */
export function attendBlock(
  operands: Attention & CodedKeys & CodedValues & { readonly openKeys: F32 },
  dims: Dims,
  attributes: GifAttributes & { readonly block: number },
  { position }: Dims,
): void {
  const { k, v, y, openKeys } = operands;
  const { N, H, K, D } = dims;
  const { block, classes } = attributes;
  const width = K * D;
  const valueCache = valuesOf(operands);
  const keys = new Float32Array((position + N) * width);
  const values = new Float32Array((position + N) * width);
  const open = position % block;
  for (let b = 0; b < Math.floor(position / block); b++) decodeBlock(operands, b, keys, width, block);
  keys.set(openKeys.subarray(0, open * width), (position - open) * width);
  for (let t = 0; t < position; t++) decodeToken(valueCache, t, values, dims, classes);

  const q = roundTripQueries(operands.q, dims, attributes);
  for (let n = 0; n < N; n++) {
    const t = position + n;
    const key = k.subarray(n * width, (n + 1) * width);
    keys.set(key, t * width);
    openKeys.set(key, (t % block) * width);
    encodeToken(v, n * width, valueCache, t, values, dims, attributes);
    attendToken(q, y, n * H * D, keys, values, t + 1, width, dims, groupedColumn(H, K, D));
    if (t % block === block - 1) {
      const closed = Math.floor(t / block);
      encodeBlock(openKeys, operands, closed, width, attributes);
      decodeBlock(operands, closed, keys, width, block);
    }
  }
}

function encodeBlock(
  x: F32,
  { keyCodes, keyScale, keyZero, keySteps }: CodedKeys,
  index: number,
  width: number,
  attributes: GifAttributes & { readonly block: number },
): void {
  const { block } = attributes;
  for (let d = 0; d < width; d++) {
    const at = index * width + d;
    const [min, max] = extent(x, d, block, width);
    gifParameters(attributes, [keySteps[d]], keyScale, keyZero, at, min, max);
    for (let t = 0; t < block; t++) {
      keyCodes[(index * block + t) * width + d] = gifCode(
        x[t * width + d],
        keyScale[at],
        keyZero[at],
        maxCode(attributes, keySteps[d]),
      );
    }
  }
}

function decodeBlock(
  { keyCodes, keyScale, keyZero }: CodedKeys,
  index: number,
  keys: F32,
  width: number,
  block: number,
): void {
  for (let i = 0, at = index * block * width; i < block * width; i++, at++) {
    const d = index * width + (i % width);
    keys[at] = (keyCodes[at] - keyZero[d]) * keyScale[d];
  }
}

/** attend_gif_whole_f32: key thresholds per channel over all tokens of the call, steps per query head. */
export function attendWhole(
  { q, k, v, keySteps, valueSteps, y }: Attention & { keySteps: Uint8Array; valueSteps: Uint8Array },
  dims: Dims,
  attributes: GifAttributes,
): void {
  const { N, H, K, D } = dims;
  const width = H * D;
  const columnOf = groupedColumn(H, K, D);
  const keys = new Float32Array(N * width);
  const values = new Float32Array(N * width);
  const scale = new Float32Array(1);
  const zero = new Int32Array(1);
  const roundTrip = (x: F32, at: number, steps: number): number =>
    (gifCode(x[at], scale[0], zero[0], maxCode(attributes, steps)) - zero[0]) * scale[0];
  for (let h = 0; h < H; h++) {
    const column = columnOf(h);
    for (let d = 0; d < D; d++) {
      const steps = keySteps[h * D + d];
      const [min, max] = extent(k, column + d, N, K * D);
      gifParameters(attributes, [steps], scale, zero, 0, min, max);
      for (let n = 0; n < N; n++) {
        keys[n * width + h * D + d] = roundTrip(k, n * K * D + column + d, steps);
      }
    }
    for (let n = 0; n < N; n++) {
      const [min, max] = extent(v, n * K * D + column, D, 1);
      for (let d = 0; d < D; d++) {
        const steps = valueSteps[h * D + d];
        gifParameters(attributes, [steps], scale, zero, 0, min, max);
        values[n * width + h * D + d] = roundTrip(v, n * K * D + column + d, steps);
      }
    }
  }
  const rounded = roundTripQueries(q, dims, attributes);
  for (let n = 0; n < N; n++) {
    attendToken(rounded, y, n * width, keys, values, n + 1, width, dims, (h) => h * D);
  }
}
