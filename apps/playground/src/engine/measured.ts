/** What is measured, for page and worker. */
import type { ActivationBits } from '@spikellm/evaluation';

export const MEASURED = ['float', 'rounded', 'spiking'] as const;
/** `rounded` is round-to-nearest with the bits of the settings and one step everywhere. */
export type Measured = (typeof MEASURED)[number];

/** A model on a text. */
export interface Measurement extends ActivationBits {
  readonly perplexity: number;
  /** Tokens predicted. */
  readonly tokens: number;
  readonly windows: number;
  readonly window: number;
  readonly bitsPerWeight: number;
  readonly bytes: number;
  /** Of the measurement alone. */
  readonly seconds: number;
}
