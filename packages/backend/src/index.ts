/// <reference lib="esnext.disposable" preserve="true" />
// Declared for users whose target is older than what is used here.
/**
 * The contract of SpikeLLM: the kernel table, the `Backend` interface and the reference backend.
 *
 * @module
 */
export { printable, shortened, SpikeError, type SpikeErrorCode, type SpikeErrorParts } from './errors.ts';
export { shown, validate, type Mismatch, type Schema } from './validate.ts';
export type { Backend, BackendReport, PreparedKernel, WaitOptions } from './backend.ts';
export { float16Values, widenFloat16 } from './float16.ts';
export type { DeviceTensor, HostTensor } from './tensor.ts';
export {
  bytesPerElement,
  isElementType,
  newElements,
  sizeOf,
  type ElementArray,
  type ElementType,
} from './elements.ts';
export {
  classCounts,
  codeType,
  gatherOrder,
  maxCode,
  packCodes,
  packedBytes,
  unpackCodes,
  type GifFormat,
  type GifRange,
} from './codes.ts';
export {
  checkTrits,
  checkWeightGroup,
  classOfWeights,
  countWeightSteps,
  groupColumns,
  MAX_WEIGHT_STEPS,
  packTrits,
  tritBytes,
  tritsOfRow,
  unpackTrits,
  weightClasses,
  weightsOfRow,
  type WeightChannels,
  type WeightClass,
} from './ternary.ts';
export type {
  Attributes,
  Constants,
  Inputs,
  KernelRow,
  Dims,
  Operand,
  Operands,
  Outputs,
  Scalars,
} from './kernel.ts';
export { activations, MOST_SPIKE_BITS, type Activation } from './table/domains.ts';
export { kernelNames, kernels, type KernelName, type KernelTable } from './table/index.ts';
export { firstDifference, type Tolerance } from './tolerance.ts';
export { attributeDims, operandDims, resolveType } from './shapes.ts';
export { composites } from './composites.ts';
export { createRunner, type Runner } from './runner.ts';
export type { Call, Driver, Implementation } from './driver.ts';
export { firstAvailable, type BackendCandidate, type Selected } from './selection.ts';
export { createTableBackend } from './table-backend.ts';
export { createReferenceBackend } from './reference/index.ts';
export { clamp, rint } from './rounding.ts';
export { nextTurn } from './turn.ts';
