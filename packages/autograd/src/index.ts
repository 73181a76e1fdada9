/**
 * Reverse-mode gradients over the kernels of a `Backend`: what block-wise training of a decoder layer needs.
 *
 * @module
 */
export { prepareTapeGraph, type TapeGraph, type TapeHooks, type TapeWeight } from './graph.ts';
export { createTape, type Tape } from './tape.ts';
export type { Value } from './value.ts';
export type { ClosedKeys, Heads, Operations, WeightTraining } from './operations.ts';
export { createRotation, type Rotation } from './rotation.ts';
export { createSpikeRounding, type SpikeRounding } from './spike-rounding.ts';
export {
  constantRate,
  cosineRate,
  createAdamW,
  type AdamW,
  type AdamWOptions,
  type Schedule,
} from './adamw.ts';
export { createWorkspace, type Workspace } from './workspace.ts';
