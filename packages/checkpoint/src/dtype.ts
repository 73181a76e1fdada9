import { SpikeError } from '@spikellm/backend';
import { Tensor } from 'onnxruntime-common';

/**
 * Element types of safetensors: the tensor type that holds them unchanged, and the array of that type.
 * There is no tensor type for BF16, so it is always widened to float32, which loses nothing.
 */
const DTYPES = {
  F64: { bytes: 8, type: 'float64', array: Float64Array },
  F32: { bytes: 4, type: 'float32', array: Float32Array },
  F16: { bytes: 2, type: 'float16', array: Uint16Array },
  BF16: { bytes: 2, type: 'float32', array: Uint16Array },
  I64: { bytes: 8, type: 'int64', array: BigInt64Array },
  I32: { bytes: 4, type: 'int32', array: Int32Array },
  I16: { bytes: 2, type: 'int16', array: Int16Array },
  I8: { bytes: 1, type: 'int8', array: Int8Array },
  U8: { bytes: 1, type: 'uint8', array: Uint8Array },
  U16: { bytes: 2, type: 'uint16', array: Uint16Array },
  U32: { bytes: 4, type: 'uint32', array: Uint32Array },
  BOOL: { bytes: 1, type: 'bool', array: Uint8Array },
} as const;

export type SafetensorsDtype = keyof typeof DTYPES;

export const dtypeNames = Object.keys(DTYPES) as readonly SafetensorsDtype[];

export const isDtype = (name: unknown): name is SafetensorsDtype =>
  typeof name === 'string' && Object.hasOwn(DTYPES, name);

export const bytesPerElement = (dtype: SafetensorsDtype): number => DTYPES[dtype].bytes;

/** The dtype that stores a tensor type as it is; undefined where safetensors has none. */
export const dtypeOf = (type: string): SafetensorsDtype | undefined =>
  dtypeNames.find((name) => DTYPES[name].type === type && name !== 'BF16');

/**
 * The tensor that `buffer` holds. Takes the buffer over.
 *
 * @param as 'stored': the type of the file, with BF16 widened to float32. 'float32': every float type as float32.
 */
export function tensorFrom(
  dtype: SafetensorsDtype,
  shape: readonly number[],
  buffer: ArrayBuffer,
  as: 'float32' | 'stored',
): Tensor {
  const dims = [...shape];
  if (dtype === 'BF16') return new Tensor('float32', widenBfloat16(new Uint16Array(buffer)), dims);
  if (as === 'float32' && dtype === 'F16') {
    return new Tensor('float32', widenFloat16(new Uint16Array(buffer)), dims);
  }
  if (as === 'float32' && dtype === 'F64') {
    return new Tensor('float32', new Float32Array(new Float64Array(buffer)), dims);
  }
  const { type, array } = DTYPES[dtype];
  return new Tensor(type as 'uint8', new array(buffer) as Uint8Array, dims);
}

/** Bfloat16 is the upper half of a float32. */
function widenBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16;
  return new Float32Array(wide.buffer);
}

function widenFloat16(bits: Uint16Array): Float32Array {
  float16Values ??= Float32Array.from({ length: 65536 }, (_, half) => float16Value(half));
  const values = float16Values;
  const wide = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = values[bits[i]];
  return wide;
}

let float16Values: Float32Array | undefined;

/** The number that 16 bits mean: sign 1, exponent 5 (bias 15), fraction 10. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Throws NOT_FINITE where a float tensor holds NaN or infinity; `where` names the file. */
export function checkFinite(where: string, name: string, tensor: Tensor): void {
  const index = firstNotFinite(tensor);
  if (index === -1) return;
  throw new SpikeError('NOT_FINITE', {
    where: `${where}: tensor ${name}`,
    expected: 'finite numbers',
    received: `NaN or infinity at flat index ${index}`,
  });
}

/** Flat index of the first NaN or infinity, which are the numbers whose exponent bits are all set; -1 if none. */
function firstNotFinite({ type, data }: Tensor): number {
  const { buffer, byteOffset, length } = data as Float32Array;
  if (type === 'float32') return firstWith(new Uint32Array(buffer, byteOffset, length), 0x7f800000, 0, 1);
  if (type === 'float16') return firstWith(new Uint16Array(buffer, byteOffset, length), 0x7c00, 0, 1);
  if (type === 'float64') return firstWith(new Uint32Array(buffer, byteOffset, 2 * length), 0x7ff00000, 1, 2);
  return -1;
}

/** Index in steps of `stride` of the first word whose bits of `mask` are all set; `start` skips the low words. */
function firstWith(words: Uint32Array | Uint16Array, mask: number, start: number, stride: number): number {
  for (let i = start; i < words.length; i += stride) {
    if ((words[i] & mask) === mask) return (i - start) / stride;
  }
  return -1;
}
