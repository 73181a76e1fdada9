/** What comes from the caller's memory, checked before a driver sees it. */
import type { HostTensor } from './tensor.ts';
import {
  arrayName,
  isElementType,
  showDims,
  sizeOf,
  type ElementArray,
  type ElementType,
} from './elements.ts';
import { SpikeError } from './errors.ts';

/** Refuses element types and dims that no device tensor can have. Errors: DTYPE, SHAPE. */
export function checkTensor(
  where: string,
  type: string,
  dims: readonly number[],
): asserts type is ElementType {
  if (!isElementType(type)) {
    throw new SpikeError('DTYPE', {
      where,
      expected: 'float32, float16, int32, uint8 or uint16',
      received: type,
    });
  }
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new SpikeError('SHAPE', { where, expected: 'dims of whole numbers', received: showDims(dims) });
  }
}

/** The elements of a host tensor. Errors: DTYPE (type, or data in another array), SHAPE (data and dims disagree). */
export function hostElements(where: string, { type, data, dims }: HostTensor): ElementArray {
  checkTensor(where, type, dims);
  const received = Object.prototype.toString.call(data).slice('[object '.length, -1);
  // A runtime that has Float16Array makes tensors of it; the bits are the same.
  const halves = type === 'float16' && received === 'Float16Array';
  if (received !== arrayName(type) && !halves) {
    throw new SpikeError('DTYPE', { where, expected: `data of ${type} in a ${arrayName(type)}`, received });
  }
  if (data.length !== sizeOf(dims)) {
    throw new SpikeError('SHAPE', {
      where,
      expected: `${sizeOf(dims)} elements for dims ${showDims(dims)}`,
      received: `${data.length}`,
    });
  }
  const { buffer, byteOffset, length } = data as Uint16Array;
  return halves ? new Uint16Array(buffer, byteOffset, length) : (data as ElementArray);
}
