/** Weights that are spikes of ternary neurons. */
export interface WeightSpikes {
  /** T' of each input channel, [C]. */
  readonly steps: ArrayLike<number>;
  /** Non-zero trits of each input channel, of all outputs and steps, [C]. */
  readonly trits: ArrayLike<number>;
}

/** Inputs that are spikes of GIF neurons, means per token. */
export interface ActivationSpikes {
  /** T of each channel, [C]. */
  readonly steps: ArrayLike<number>;
  /** Levels emitted in all steps, [C]. */
  readonly levels: ArrayLike<number>;
  /** Steps that emit something, [C]. */
  readonly events: ArrayLike<number>;
}

export interface LinearOperands {
  readonly outputs: number;
  readonly inputs: number;
  /** Bits of a weight in one product: those of its code, 2 of a trit, 16 of a float. */
  readonly weightBits: number;
  /** Bits of an activation in one product: n of a spike, 16 of a float. */
  readonly activationBits: number;
  /** Absent for weights that are codes or floats. */
  readonly weights?: WeightSpikes | undefined;
  /** Absent for float inputs. */
  readonly activations?: ActivationSpikes | undefined;
}

/** Operations of a linear for one token. */
export interface LinearOperations {
  /** Multiply-accumulates of the float linear: O C. */
  readonly macs: number;
  /** Products of a weight step and a spike step when every one is computed: O sum_c T_c T'_c. */
  readonly dense: number;
  /** Those of them that event-driven hardware leaves out: the spike step is silent or the trit is 0. */
  readonly skipped: number;
  /** Multiply-accumulates that remain, a spike's level times a weight: none where weights are trits. */
  readonly multiplications: number;
  /**
   * Additions that do it all without a multiplication: of a weight for each level of a spike, or of what the input
   * carries for each trit. Null where a float input meets weights that are no trits.
   */
  readonly additions: number | null;
  /** Arithmetic computation effort: the bits of both operands multiplied, summed over `dense`; a trit has 2 bits. */
  readonly ace: number;
  /** The same with log2 3 bits a trit; equal where weights are no trits. */
  readonly aceLog3: number;
}

/** As trits are stored. Binary weights, which count as trits here, have one bit. */
const TRIT_BITS = 2;

/**
 * Counts a linear with T spike steps in a channel of the input and T' weight steps (1 where there are none).
 * ACE as in arXiv 2407.04752: b_w b_a per product, T times in a channel of T steps; a trit counts 2 bits, a float 16.
 */
export function linearOperations({
  outputs,
  inputs,
  weightBits,
  activationBits,
  weights,
  activations,
}: LinearOperands): LinearOperations {
  let dense = 0;
  let done = 0;
  let levels = 0;
  for (let channel = 0; channel < inputs; channel++) {
    dense += outputs * (weights?.steps[channel] ?? 1) * (activations?.steps[channel] ?? 1);
    // Products with a trit that is not 0, in each step of the input.
    const products = weights?.trits[channel] ?? outputs;
    done += products * (activations?.events[channel] ?? 1);
    levels += products * (activations?.levels[channel] ?? 0);
  }
  const byTrits = weights !== undefined;
  return {
    macs: outputs * inputs,
    dense,
    skipped: dense - done,
    multiplications: byTrits ? 0 : done,
    additions: byTrits ? done : activations === undefined ? null : levels,
    ace: dense * weightBits * activationBits,
    aceLog3: dense * (weightBits === TRIT_BITS && byTrits ? Math.log2(3) : weightBits) * activationBits,
  };
}
