/**
 * What a decoder is worth and what it costs: perplexity, spikes of a real text, and true bit counts.
 *
 * @module
 */
export { cutWindows, type WindowOptions } from './windows.ts';
export { perplexity, PERPLEXITY_PROTOCOL, type Perplexity, type PerplexityOptions } from './perplexity.ts';
export {
  describeModel,
  type ActivationBits,
  type LinearReport,
  type ModelBytes,
  type ModelReport,
  type TensorIndex,
} from './describe.ts';
export type { KvReport } from './kv-cost.ts';
export {
  spikeStatistics,
  type SpikeRates,
  type SpikeStatistics,
  type SpikeStatisticsOptions,
} from './spike-statistics.ts';
