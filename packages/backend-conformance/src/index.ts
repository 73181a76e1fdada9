/**
 * One suite that every SpikeLLM backend must pass, made from the kernel table and from published numbers.
 *
 * @module
 */
export { describeConformance, type ConformanceOptions, type Skip } from './suite.ts';
