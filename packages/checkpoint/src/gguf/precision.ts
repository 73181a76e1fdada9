import { bytesPerElement, isDtype } from '../dtype.ts';
import type { TensorInfo } from '../header.ts';
import type { TensorSource } from '../safetensors.ts';
import { sizeOf } from './file.ts';

/** How a file stores a tensor's values. */
export interface StoredPrecision {
  /** Such as `Q4_1` or `BF16`. */
  readonly type: string;
  /** With the scales of the blocks. */
  readonly bitsPerWeight: number;
}

/** What a GGUF file says of one tensor: its `dtype` is that of what is read, F32 where blocks are decoded. */
export interface GgufTensorInfo extends TensorInfo {
  readonly stored: StoredPrecision;
}

/** How the weights of a source are stored. */
export interface SourcePrecision extends StoredPrecision {
  /** Over all weights, whatever their type. */
  readonly averageBits: number;
  /** By number of weights, most first. */
  readonly types: readonly (StoredPrecision & { readonly tensors: number; readonly weights: number })[];
  /** `type` and `bitsPerWeight` for people: 'Q4_1, 5.0 bits'. */
  readonly text: string;
}

/** How a source stores a tensor. Undefined where it has none of that name. */
export function tensorPrecision(tensors: TensorSource, name: string): StoredPrecision | undefined {
  const info: (TensorInfo & Partial<GgufTensorInfo>) | undefined = tensors.info(name);
  if (info === undefined) return undefined;
  if (info.stored !== undefined) return info.stored;
  const bits = isDtype(info.dtype)
    ? 8 * bytesPerElement(info.dtype)
    : (8 * info.bytes) / info.shape.reduce((product, dim) => product * dim, 1);
  return { type: info.dtype, bitsPerWeight: bits };
}

/**
 * In what precision the weights of a source were handed over: a GGUF file's, or a folder's. `type` is the one of most
 * weights of its layers; GGUF files keep some tensors in a better one, often the embedding, which is most of a small model.
 */
export function sourcePrecision(tensors: TensorSource): SourcePrecision {
  const names = [...tensors.names()];
  const types = countTypes(tensors, names);
  const [most = types[0]] = countTypes(
    tensors,
    names.filter((name) => name.includes('.layers.')),
  );
  const { type, bitsPerWeight } = most ?? { type: 'none', bitsPerWeight: 0 };
  const weights = sum(types.map((counted) => counted.weights));
  return {
    type,
    bitsPerWeight,
    averageBits: weights === 0 ? 0 : (8 * sum(names.map((name) => tensors.info(name)?.bytes ?? 0))) / weights,
    types,
    text: `${type}, ${bitsPerWeight.toFixed(1)} bits`,
  };
}

type Counted = SourcePrecision['types'][number];

function countTypes(tensors: TensorSource, names: readonly string[]): Counted[] {
  const found = new Map<string, Counted>();
  for (const name of names) {
    const precision = tensorPrecision(tensors, name);
    if (precision === undefined) continue;
    const before = found.get(precision.type) ?? { ...precision, tensors: 0, weights: 0 };
    const weights = before.weights + sizeOf(tensors.info(name)?.shape ?? []);
    found.set(precision.type, { ...before, tensors: before.tensors + 1, weights });
  }
  return [...found.values()].toSorted((a, b) => b.weights - a.weights);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
