/**
 * Decoder graphs: config and weights in, logits and text out, float or spiking, on any backend. The graph knows tensors
 * and names, not files.
 *
 * @module
 */
export { parseDecoderConfig, type DecoderConfig, type RopeConfig } from './config.ts';
export {
  FLOAT_BITS,
  KEY_QUANTISERS,
  parseSpikingConfig,
  type CodeFormat,
  type KeyQuantiser,
  type SaliencyMetric,
  type SpikingConfig,
  type TernaryFormat,
} from './spiking-config.ts';
export {
  checkLayerCount,
  checkWeight,
  EMBEDDING,
  FINAL_NORM,
  globalWeights,
  HEAD,
  inputNormName,
  layerLinears,
  layerWeights,
  mlpNormName,
  readWeight,
  tables,
  type LinearEntry,
  type LinearGroup,
  type LowestPrecision,
  type PackedRows,
  type TensorSource,
  type WeightEntry,
} from './registry.ts';
export { ropeFrequencies, ropeTables } from './rope.ts';
export {
  hostTensor,
  isPacked,
  isTernary,
  packedNames,
  readSteps,
  salientNames,
  salientTensors,
  stepClasses,
  type LinearWeights,
  type PackedWeight,
} from './linear.ts';
export {
  countWeightSpikes,
  isOfElements,
  readTernary,
  ternaryOperands,
  readWeightSteps,
  ternaryNames,
  ternaryTensors,
  type ChannelWeight,
  type ElementWeight,
  type TernaryWeight,
} from './ternary.ts';
export { packElements, type ElementSteps, type PackedElements } from './ternary-elements.ts';
export { createCache, isCausal, type KvCache, type KvSteps, type LayerCache } from './cache.ts';
export {
  kvPrefixes,
  prepareLayer,
  readLayer,
  type DecoderLayer,
  type LayerWeights,
  type Place,
  type Taps,
} from './layer.ts';
export { checkIds, loadDecoder, type Decoder, type ForwardOptions, type LoadOptions } from './decoder.ts';
export {
  generateText,
  generateTokens,
  type Detokenizer,
  type GenerateOptions,
  type TextOptions,
} from './generate.ts';
export { createSampler, type SamplingOptions } from './sampler.ts';
export { createRandom, type Random } from './random.ts';
export { createLoan, lend, type LentTensors, type Loan } from './lend.ts';
