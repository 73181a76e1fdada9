import { SpikeError } from './errors.ts';

/** Element types that device tensors may have; the names are those of onnxruntime-common. */
export interface ElementArrays {
  readonly float32: Float32Array;
  /** The bits of IEEE half-precision numbers. */
  readonly float16: Uint16Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
}
export type ElementType = keyof ElementArrays;
export type ElementArray = ElementArrays[ElementType];

const CONSTRUCTORS = {
  float32: Float32Array,
  float16: Uint16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
} as const;

/** A zero-filled array of `length` elements. Errors: OUT_OF_MEMORY. */
export function newElements(type: ElementType, length: number): ElementArray {
  try {
    return new CONSTRUCTORS[type](length);
  } catch (cause) {
    throw new SpikeError('OUT_OF_MEMORY', {
      where: 'host memory',
      expected: `room for ${length} elements of ${type}`,
      received: (cause as Error).message,
      remedy: 'use a smaller model, or a shorter text',
      cause,
    });
  }
}

export const bytesPerElement = (type: ElementType): number => CONSTRUCTORS[type].BYTES_PER_ELEMENT;

export const isElementType = (type: string): type is ElementType => Object.hasOwn(CONSTRUCTORS, type);

/** The name of the typed array that holds this type on the host. */
export const arrayName = (type: ElementType): string => CONSTRUCTORS[type].name;

/** Number of elements of a tensor with these dimensions. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);

export const showDims = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;
