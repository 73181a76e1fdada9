/**
 * The contract of SpikeLLM: the kernel table, the `Backend` interface and the reference backend.
 *
 * @module
 */
export { SpikeError, type SpikeErrorCode, type SpikeErrorParts } from './errors.ts';
