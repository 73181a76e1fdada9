export const INITIAL_SCALES = ['all', 'published'] as const;

export interface TrainingSettings {
  /** Passes over the calibration windows. */
  readonly epochs: number;
  /** Share of a channel's size that initial scales move into the weights, 0 to 1. */
  readonly alpha: number;
  /** Initial scales look at all linears that read a channel, or at the first alone (q, up), as published. */
  readonly initialScales: (typeof INITIAL_SCALES)[number];
  /** Learning rate of equivalent scales. */
  readonly scaleRate: number;
  /** Learning rate of clipping factors. */
  readonly clippingRate: number;
  /** `cosine` falls to 0 over all updates of a layer. */
  readonly schedule: 'constant' | 'cosine';
  /** Adds the distance to what the float layer makes of the spiking model's own inputs. */
  readonly augmentedLoss: boolean;
}

/** The published W4A4 run of SpikeLLM on LLaMA (arXiv 2407.04752), but for initial scales, which miss no reader. */
export const DEFAULT_TRAINING: TrainingSettings = {
  epochs: 20,
  alpha: 0.75,
  initialScales: 'all',
  scaleRate: 1e-3,
  clippingRate: 1e-2,
  schedule: 'constant',
  augmentedLoss: false,
};
