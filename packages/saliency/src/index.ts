/**
 * Optimal Brain Spiking: which channels matter, and how many spike steps each gets.
 *
 * @module
 */
export { createAbsmaxProbe, createChannelProbe, createKvProbe, type KvScores, type Probe } from './probe.ts';
export { allocateQuota, rankChannels, salientCount } from './quota.ts';
export { allocateBudget, type StepGains } from './budget.ts';
export { columnScores, weightScores } from './weights.ts';
export { sumQueryGroups, sumScores } from './combine.ts';
export type { ChannelMoments, GainMetric, SaliencyMetric, ScoreMetric, SiteChannels } from './metric.ts';
export { METRICS, metricOf } from './metrics.ts';
export { fisher } from './fisher.ts';
export { obs } from './obs.ts';
export { random } from './random.ts';
