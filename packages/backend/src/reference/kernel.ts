import type { ElementArray, ElementArrays } from '../elements.ts';
import type { Dims } from '../kernel.ts';
import type { Implementation } from '../driver.ts';

export type F32 = ElementArrays['float32'];
export type I32 = ElementArrays['int32'];
export type Codes = ElementArrays['uint8'] | ElementArrays['uint16'];

/**
 * A reference kernel is one plain function of its operands (typed arrays by name, constants among them), dims,
 * attributes and scalars; the row has checked that they are what the function declares.
 */
export type ReferenceKernel = (operands: never, dims: Dims, attributes: never, scalars: Dims) => void;

/** A kernel whose constants need no packing: they join the operands as they are, copied. */
export const plain = (body: ReferenceKernel): Implementation<ElementArray, Record<string, ElementArray>> => ({
  prepare: (constants) =>
    Object.fromEntries(Object.entries(constants).map(([name, values]) => [name, values.slice()])),
  run: ({ operands, dims, attributes, scalars, packed }) =>
    body({ ...operands, ...packed } as never, dims, attributes as never, scalars),
  packedBytes: (packed) => Object.values(packed).reduce((bytes, values) => bytes + values.byteLength, 0),
});
