/** What gets more ternary steps. */
export const WEIGHT_UNITS = ['channel', 'element'] as const;

export const WEIGHT_KINDS = ['integer', 'ternary'] as const;

/** Numbers of ternary steps that a budget may buy. */
export const WEIGHT_STEP_CHOICES = [1, 2, 3, 4] as const;

export interface GptqSettings {
  /** What is added to the diagonal of a Hessian, in parts of its mean. */
  readonly damping: number;
  /** Channels with large inputs first. */
  readonly actOrder: boolean;
  /** Codes of `weightBits` bits, or spikes of ternary neurons. */
  readonly weights: (typeof WEIGHT_KINDS)[number];
  /** Steps of a ternary weight, 1 to 7. */
  readonly weightSteps: number;
  /** Steps of a ternary weight in a salient input channel, 1 to 7. */
  readonly salientSteps: number;
  /** Share of the input channels of each linear whose weights are salient, or of its weights, 0 to 1. */
  readonly salientWeights: number;
  /**
   * Mean steps of a ternary weight, 1 to 4, in place of the three settings before it: 1 to 4 steps go where they lower the
   * error of a linear most.
   */
  readonly equalSteps?: number | undefined;
  /**
   * Columns of ternary weights that share scales, one for each output and number of steps: as many channels in their order,
   * but for the last group, which takes what is left. A row where it is absent.
   */
  readonly weightGroup?: number | undefined;
  /** What is salient: input channels, also where it is absent, or single weights, of `salientSteps` above `weightSteps`. */
  readonly weightUnit?: (typeof WEIGHT_UNITS)[number] | undefined;
}

/** The published damping, and the order that the authors of GPTQ added to it later; ternary weights of 1.4 mean steps. */
export const DEFAULT_GPTQ: GptqSettings = {
  damping: 0.01,
  actOrder: true,
  weights: 'integer',
  weightSteps: 1,
  salientSteps: 3,
  salientWeights: 0.2,
};
