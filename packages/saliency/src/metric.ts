/** What a saliency metric is. To add one is to add its file of this folder, or to pass a value of your own. */

/** What is known of the channels that share their steps: the input of one linear or more, or cached keys or values. */
export interface SiteChannels {
  readonly layer: number;
  /** Such as `qkv` or `down`; `key` and `value` of the cache. */
  readonly site: string;
  readonly channels: number;
  /**
   * Activation saliency of Optimal Brain Spiking, see `createChannelProbe` and `createKvProbe`, [channels]; present where the
   * metric needs activations.
   */
  readonly saliency?: ArrayLike<number> | undefined;
  /** Largest |x| of each channel, [channels]; present for inputs of linears where the metric needs activations. */
  readonly absmax?: ArrayLike<number> | undefined;
  /** Draws from [0, 1), the same numbers for the same seed, layer and site. */
  readonly random: () => number;
}

/** What a text says of the channels of one site; means over its tokens, [C]. */
export interface ChannelMoments {
  /** (dLoss / dx_j)^2. */
  readonly gradients: Float64Array;
  /** (Q_T(x_j) - x_j)^2, by number of steps T. */
  readonly errors: ReadonlyMap<number, Float64Array>;
}

interface Named {
  /** As a checkpoint names it. */
  readonly name: string;
}

/** Ranks the channels of each site by themselves: every site gets its share of salient ones. */
export interface ScoreMetric extends Named {
  /** `activations` where it is not said. */
  readonly needs?: 'activations' | 'nothing';
  /** Higher is more salient, [channels]. */
  score(site: SiteChannels): ArrayLike<number>;
}

/** Compares channels over the whole model: steps are bought where they bring most for their operations. */
export interface GainMetric extends Named {
  readonly needs: 'gradients';
  /** What T steps bring to each channel over one step, by T > 1. */
  gains(moments: ChannelMoments): ReadonlyMap<number, ArrayLike<number>>;
}

export type SaliencyMetric = ScoreMetric | GainMetric;
