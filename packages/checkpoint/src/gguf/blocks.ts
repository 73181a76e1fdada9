import { bytesPerElement, type SafetensorsDtype } from '../dtype.ts';
import {
  decodeIq4Nl,
  decodeMxfp4,
  decodeQ4_0,
  decodeQ4_1,
  decodeQ5_0,
  decodeQ5_1,
  decodeQ8_0,
} from './blocks-32.ts';
import { decodeQ1_0, decodeQ2_0, decodeTq1_0, decodeTq2_0 } from './blocks-few.ts';
import { decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from './blocks-k.ts';
import { unsupported } from './errors.ts';
import type { DecodeBlock } from './half.ts';

/** How tensors of one type lie in a file: blocks of `values` values, `bytes` bytes each. */
export interface GgufType {
  readonly name: string;
  readonly values: number;
  readonly bytes: number;
  /** Floats without blocks are read as those of safetensors. */
  readonly dtype?: SafetensorsDtype;
  /** Gives float32. A type that has neither this nor a dtype is known by its size only. */
  readonly decode?: DecodeBlock;
}

const float = (dtype: SafetensorsDtype): GgufType => ({
  name: dtype,
  values: 1,
  bytes: bytesPerElement(dtype),
  dtype,
});

const blocks = (name: string, values: number, bytes: number, decode?: DecodeBlock): GgufType => ({
  name,
  values,
  bytes,
  ...(decode && { decode }),
});

/** Types by their id in files. Source: enum ggml_type of ggml. */
const TYPES: Readonly<Record<number, GgufType>> = {
  0: float('F32'),
  1: float('F16'),
  2: blocks('Q4_0', 32, 18, decodeQ4_0),
  3: blocks('Q4_1', 32, 20, decodeQ4_1),
  6: blocks('Q5_0', 32, 22, decodeQ5_0),
  7: blocks('Q5_1', 32, 24, decodeQ5_1),
  8: blocks('Q8_0', 32, 34, decodeQ8_0),
  9: blocks('Q8_1', 32, 36),
  10: blocks('Q2_K', 256, 84, decodeQ2K),
  11: blocks('Q3_K', 256, 110, decodeQ3K),
  12: blocks('Q4_K', 256, 144, decodeQ4K),
  13: blocks('Q5_K', 256, 176, decodeQ5K),
  14: blocks('Q6_K', 256, 210, decodeQ6K),
  15: blocks('Q8_K', 256, 292),
  16: blocks('IQ2_XXS', 256, 66),
  17: blocks('IQ2_XS', 256, 74),
  18: blocks('IQ3_XXS', 256, 98),
  19: blocks('IQ1_S', 256, 50),
  20: blocks('IQ4_NL', 32, 18, decodeIq4Nl),
  21: blocks('IQ3_S', 256, 110),
  22: blocks('IQ2_S', 256, 82),
  23: blocks('IQ4_XS', 256, 136),
  24: blocks('I8', 1, 1),
  25: blocks('I16', 1, 2),
  26: blocks('I32', 1, 4),
  27: blocks('I64', 1, 8),
  28: float('F64'),
  29: blocks('IQ1_M', 256, 56),
  30: float('BF16'),
  34: blocks('TQ1_0', 256, 54, decodeTq1_0),
  35: blocks('TQ2_0', 256, 66, decodeTq2_0),
  39: blocks('MXFP4', 32, 17, decodeMxfp4),
  40: blocks('NVFP4', 64, 36),
  41: blocks('Q1_0', 128, 18, decodeQ1_0),
  42: blocks('Q2_0', 64, 18, decodeQ2_0),
};

const isReadable = ({ dtype, decode }: GgufType): boolean => dtype !== undefined || decode !== undefined;

/** Names of the types whose tensors can be read. */
export const readableTypes: readonly string[] = Object.values(TYPES)
  .filter(isReadable)
  .map(({ name }) => name);

/** The type of an id. Errors: UNSUPPORTED for one that is not known, whose size is not known either. */
export function typeOf(where: string, id: number): GgufType {
  const type = TYPES[id];
  if (type !== undefined) return type;
  throw unsupported(where, 'a known type of tensor', `type ${id}`, CONVERT);
}

/** Refuses a tensor whose values cannot be read. Errors: UNSUPPORTED. */
export function checkReadable(where: string, type: GgufType): void {
  if (isReadable(type)) return;
  throw unsupported(where, `a type among ${readableTypes.join(', ')}`, type.name, CONVERT);
}

const CONVERT = 'take a file of another quantisation, such as Q4_K, Q8_0 or F16';
