/**
 * Decoders as graphs: config and weights in, logits and text out, float or spiking, on any backend. The package knows
 * tensors and names, not files.
 *
 * @module
 */
export {
  attentionAttributes,
  cachedChannels,
  type Attend,
  type KvSteps,
  type LayerCache,
  type PreparedAttention,
} from './attention/attention.ts';
export { createCache, mostPositions, type Angles, type KvCache } from './attention/cache.ts';
export {
  checkIds,
  loadDecoder,
  type Decoder,
  type ForwardOptions,
  type LoadOptions,
} from './execute/decoder.ts';
export {
  normScale,
  readLayer,
  readLinears,
  readNorms,
  type LayerWeights,
  type LinearWeights,
  type NormWeights,
} from './execute/layer-weights.ts';
export type { Observers, Position } from './execute/pass.ts';
export {
  loadEnd,
  prepareLayer,
  type DecoderLayer,
  type End,
  type LoadEndOptions,
  type PrepareOptions,
} from './execute/prepare.ts';
export { FAMILIES, parseModel } from './families/index.ts';
export type { Blueprint, Family } from './families/family.ts';
export type {
  Encoding,
  FloatLinear,
  PackedRows,
  Spikes,
  StoredWeight,
  Table,
  Weight,
  WeightFormat,
  WeightRows,
  WeightSpikes,
} from './formats/format.ts';
export { floatFormat, floatWeight, type FloatSettings } from './formats/float.ts';
export { integerFormat, integerRowBytes, integerWeight, type IntegerSettings } from './formats/integer.ts';
export { channelWeight, elementWeight, ternaryFormat, type TernarySettings } from './formats/ternary.ts';
export { packElements, type ElementSteps, type PackedElements } from './formats/ternary-elements.ts';
export { tableFormat, weightFormat, type WeightSettings } from './formats/index.ts';
export {
  checkPrompt,
  generateText,
  generateTokens,
  type Detokenizer,
  type GenerateOptions,
  type TextOptions,
} from './generate/generate.ts';
export { createRandom, type Random } from './generate/random.ts';
export { createSampler, type SamplingOptions } from './generate/sampler.ts';
export { createArena, inArena, type ArenaTensors, type HostArena } from './host-arena.ts';
export { hostTensor } from './host-tensor.ts';
export { buildGraph, type AttentionOptions, type GraphBuilder, type NormOptions } from './ir/builder.ts';
export {
  nodesOf,
  producerOf,
  readersOf,
  readsOf,
  type AttentionNode,
  type Edge,
  type Graph,
  type GraphNode,
  type LinearNode,
  type NodeKind,
  type NodeOfKind,
  type NormNode,
  type RotaryNode,
} from './ir/nodes.ts';
export { describeNode, mermaidGraphs, printGraph, type TitledGraph } from './ir/print.ts';
export { rotateInputs, rotatesOnline } from './ir/rotate.ts';
export type { DecoderConfig, LayerGraph, ModelGraph } from './model.ts';
export { rotaryAngles, rotaryFrequencies, type RotaryScaling, type RotaryTable } from './rotary.ts';
export { readSteps, salientNames, salientTensors, stepClasses } from './salient.ts';
export {
  attentionOf,
  cacheSites,
  inputSites,
  spikingLinears,
  type CacheSite,
  type InputSite,
} from './sites.ts';
export {
  FLOAT_BITS,
  isCausal,
  KEY_QUANTISERS,
  MOST_SPIKE_BITS,
  parseSpikingConfig,
  spikesInCache,
  type KeyQuantiser,
  type SpikingConfig,
} from './spiking-config.ts';
export {
  checkFloat,
  checkTensor,
  readFloats,
  readIntegers,
  readScale,
  readTensor,
  type TensorInfo,
  type TensorReadOptions,
  type TensorSource,
} from './tensors.ts';
export {
  bindTensors,
  cachePrefixes,
  globalWeights,
  layerWeights,
  linearRows,
  tables,
  tablesOf,
  type LowestPrecision,
  type WeightEntry,
} from './weights.ts';
