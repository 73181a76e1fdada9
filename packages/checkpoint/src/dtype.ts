import { float16Values, SpikeError, widenFloat16 } from '@spikellm/backend';
import { Tensor } from 'onnxruntime-common';

/**
 * Element types of safetensors: the tensor type that holds them unchanged, and the array of that type.
 * There is no tensor type for BF16: it becomes float32, or float16 where that is asked for and loses nothing.
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
 * @param as 'stored': the type of the file, and BF16 as float16 where that holds every value, else as float32.
 *   'float32': every float type as float32.
 * @param allocate memory for a tensor of another type than the file's
 */
export function tensorFrom(
  dtype: SafetensorsDtype,
  shape: readonly number[],
  buffer: ArrayBuffer,
  as: 'float32' | 'stored',
  allocate: (bytes: number) => ArrayBuffer,
): Tensor {
  const dims = [...shape];
  const floats = (length: number) => new Float32Array(allocate(4 * length));
  if (dtype === 'BF16') {
    const bits = new Uint16Array(buffer);
    const half = as === 'stored' ? narrowBfloat16(bits, allocate) : undefined;
    return half === undefined
      ? new Tensor('float32', widenBfloat16(bits, floats(bits.length)), dims)
      : new Tensor('float16', half, dims);
  }
  if (as === 'float32' && dtype === 'F16') {
    const bits = new Uint16Array(buffer);
    return new Tensor('float32', widenFloat16(bits, floats(bits.length)), dims);
  }
  if (as === 'float32' && dtype === 'F64') {
    const doubles = new Float64Array(buffer);
    const singles = floats(doubles.length);
    singles.set(doubles);
    return new Tensor('float32', singles, dims);
  }
  const { type, array } = DTYPES[dtype];
  return new Tensor(type as 'uint8', new array(buffer) as Uint8Array, dims);
}

/** Bfloat16 is the upper half of a float32. */
function widenBfloat16(bits: Uint16Array, into: Float32Array): Float32Array {
  const words = new Uint32Array(into.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return into;
}

/** Bfloat16 numbers in half precision where every one of them is a half-precision number, else undefined. */
function narrowBfloat16(
  bits: Uint16Array,
  allocate: (bytes: number) => ArrayBuffer,
): Uint16Array | undefined {
  halfOfBfloat16 ??= halvesOfBfloat16();
  const half = new Uint16Array(allocate(bits.byteLength));
  for (let i = 0; i < bits.length; i++) {
    const same = halfOfBfloat16[bits[i]];
    if (same < 0) return undefined;
    half[i] = same;
  }
  return half;
}

let halfOfBfloat16: Int32Array | undefined;

/** By the bits of a bfloat16 number, those of the half-precision number of the same value; -1 where there is none. */
function halvesOfBfloat16(): Int32Array {
  const halves = new Int32Array(65536).fill(-1);
  const words = new Uint32Array(float16Values().buffer);
  words.forEach((word, half) => {
    if ((word & 0xffff) === 0) halves[word >>> 16] = half;
  });
  return halves;
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
