import type { EnergyEstimate } from './energy.ts';
import type { LinearOperations } from './linear-operations.ts';
import { sum } from './sum.ts';

/** Means per token. */
export interface OperationCounts extends LinearOperations {
  /** Of the weights as they are stored, biases included: read once for each token when the batch is one. */
  readonly weightBytes: number;
  /**
   * Inputs as spikes, n bits a step, with a float32 scale and an int32 zero point for each class of channels, and outputs in 16
   * bits; float inputs in 16 bits too.
   */
  readonly activationBytes: number;
  readonly energy: EnergyEstimate;
}

/** Sums of counts; a sum with an unknown part is unknown. */
export function addCounts(all: readonly OperationCounts[]): OperationCounts {
  const total = (of: (counts: OperationCounts) => number): number => sum(all, of);
  const partial = (of: (counts: OperationCounts) => number | null): number | null =>
    all.some((counts) => of(counts) === null) ? null : total((counts) => of(counts)!);
  return {
    macs: total((counts) => counts.macs),
    dense: total((counts) => counts.dense),
    skipped: total((counts) => counts.skipped),
    multiplications: total((counts) => counts.multiplications),
    additions: partial((counts) => counts.additions),
    ace: total((counts) => counts.ace),
    aceLog3: total((counts) => counts.aceLog3),
    weightBytes: total((counts) => counts.weightBytes),
    activationBytes: total((counts) => counts.activationBytes),
    energy: {
      dense: total(({ energy }) => energy.dense),
      events: total(({ energy }) => energy.events),
      additive: partial(({ energy }) => energy.additive),
      memory: total(({ energy }) => energy.memory),
    },
  };
}
