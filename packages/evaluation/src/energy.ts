/** Energies of a technology in picojoules. */
export interface EnergyTable {
  /** What the figures are and where they come from. */
  readonly source: string;
  /** Arithmetic by the kind of its operands; an addition has the width of its accumulator. */
  readonly arithmetic: Readonly<Record<Arithmetic, { readonly add: number; readonly multiply: number }>>;
  /** A byte of weights, read from outside the chip once for each token: decoding with a batch of one. */
  readonly weightByte: number;
  /** A byte of activations, moved within the chip. */
  readonly activationByte: number;
}

/** Whole numbers of up to 8 or 32 bits, or floats of 16. */
export type Arithmetic = 'int8' | 'int32' | 'float16';

/**
 * 45 nm at 0.9 V (M. Horowitz, "Computing's energy problem", ISSCC 2014): 640 pJ for 32 bits from DRAM, 5 pJ for 32 bits
 * from 8 KB of SRAM. Sums are held in 32 bits, whole numbers or float, as the kernels hold them: no bound on a sum makes less
 * enough.
 */
export const ENERGY_45NM: EnergyTable = {
  source: '45 nm, 0.9 V (Horowitz, ISSCC 2014)',
  arithmetic: {
    int8: { add: 0.1, multiply: 0.2 },
    int32: { add: 0.1, multiply: 3.1 },
    float16: { add: 0.9, multiply: 1.1 },
  },
  weightByte: 640 / 4,
  activationByte: 5 / 4,
};

/** Must stand where a count or an energy of spikes stands. */
export const SIMULATION_NOTE =
  'Dense hardware, this machine among it, simulates spikes: it computes every step and saves none of this.';

/** An estimate in picojoules per token: counted operations and bytes times the figures of a table, nothing measured. */
export interface EnergyEstimate {
  /** Arithmetic of a machine that computes every step. */
  readonly dense: number;
  /** Arithmetic of a machine that skips silent steps and zero trits, and multiplies a spike's level with the weight. */
  readonly events: number;
  /** Arithmetic of a machine that only adds, level by level; null where operands cannot be added alone. */
  readonly additive: number | null;
  /** Weights once from outside the chip, activations within it. */
  readonly memory: number;
}

/** What an estimate is made of, per token. */
export interface EnergyCounts {
  readonly dense: number;
  readonly skipped: number;
  readonly additions: number | null;
  /** Whether the weights are trits, so that a product is an addition on every machine. */
  readonly ternary: boolean;
  readonly arithmetic: Arithmetic;
  readonly weightBytes: number;
  readonly activationBytes: number;
}

/** The estimate of one linear. */
export function estimateEnergy(counts: EnergyCounts, table: EnergyTable): EnergyEstimate {
  const { add, multiply } = table.arithmetic[counts.arithmetic];
  const product = counts.ternary ? add : add + multiply;
  return {
    dense: counts.dense * product,
    events: (counts.dense - counts.skipped) * product,
    additive: counts.additions === null ? null : counts.additions * add,
    memory: counts.weightBytes * table.weightByte + counts.activationBytes * table.activationByte,
  };
}
