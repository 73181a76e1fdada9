import type { ScoreMetric } from './metric.ts';

/** Optimal Brain Spiking (arXiv 2407.04752): x_j times the gradient of |x W^T|^2 / 2, signed, as the research code has it. */
export const obs: ScoreMetric = {
  name: 'obs',
  needs: 'activations',
  score: ({ saliency }) => saliency!,
};
