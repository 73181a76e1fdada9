import type { ScoreMetric } from './metric.ts';

/** Scores that mean nothing: the control that every metric is held against. */
export const random: ScoreMetric = {
  name: 'random',
  needs: 'nothing',
  score: ({ channels, random: draw }) => Float64Array.from({ length: channels }, draw),
};
