/**
 * What a decoder is worth and what it costs: perplexity, spikes of a real text, and true bit counts.
 *
 * @module
 */
export { cutWindows, type WindowOptions } from './windows.ts';
export {
  PROTOCOLS,
  tokenise,
  type Protocol,
  type ProtocolText,
  type ProtocolTokenizer,
  type ProtocolTokens,
} from './protocols/index.ts';
export {
  MOST_LOGITS,
  perplexity,
  PERPLEXITY_PROTOCOL,
  type Perplexity,
  type PerplexityOptions,
} from './perplexity.ts';
export {
  describeModel,
  type DescribeOptions,
  type LinearReport,
  type ModelBytes,
  type ModelReport,
  type TensorIndex,
} from './describe.ts';
export type { ActivationBits } from './activation-bits.ts';
export type { KvReport } from './kv-cost.ts';
export { salientMasks, type SalientMask } from './salient-masks.ts';
export { modelCost, type ModelCost } from './cost.ts';
export type { AttentionOperations } from './attention-operations.ts';
export type { OperationCounts } from './operation-counts.ts';
export {
  hadamardOperations,
  type TransformOperationReport,
  type TransformOperations,
} from './transform-operations.ts';
export { spikeStatistics, type SpikeRates, type SpikeStatistics } from './spike-statistics.ts';
export {
  countSpikes,
  tokenSpikes,
  type ChannelCounts,
  type Encoding,
  type SpikeCountOptions,
  type SpikeCounts,
  type TokenSpikes,
} from './spike-counts.ts';
export {
  linearOperations,
  type ActivationSpikes,
  type LinearOperands,
  type LinearOperations,
  type WeightSpikes,
} from './linear-operations.ts';
export {
  countOperations,
  type BinaryWeights,
  type LayerOperationReport,
  type LinearOperationReport,
  type OperationOptions,
  type OperationReport,
} from './operations.ts';
export {
  ENERGY_45NM,
  SIMULATION_NOTE,
  type Arithmetic,
  type EnergyEstimate,
  type EnergyTable,
} from './energy.ts';
export { findTask, TASKS } from './tasks/registry.ts';
export { defineTask, follow, type Item, type ItemScores, type Request, type Task } from './tasks/task.ts';
export { BY_CHARACTER, BY_GREEDY, BY_LIKELIHOOD, type TaskResult } from './tasks/metrics.ts';
export { readItems, type RowOptions } from './tasks/rows.ts';
export { encodeItem, type EncodedItem, type Sequence, type TaskTokenizer } from './tasks/encode.ts';
export { createScorer, type Scorer, type SequenceScore } from './tasks/score.ts';
export {
  prepareTask,
  runTask,
  type PreparedTask,
  type PrepareTaskOptions,
  type RunTaskOptions,
} from './tasks/run.ts';
