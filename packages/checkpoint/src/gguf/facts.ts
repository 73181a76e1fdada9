import type { Metadata } from './metadata.ts';

/** What a config is made from: the metadata, which tensors there are, and the values of a few small ones. */
export interface ModelFacts {
  readonly metadata: Metadata;
  /** Shapes of the tensors by their names in the file. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Values of `ROPE_TENSORS`, of those that there are. */
  readonly values: ReadonlyMap<string, Float32Array>;
}
