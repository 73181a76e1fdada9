/**
 * Reference numbers of the published research code and of two trained checkpoints, for tests only.
 *
 * @module
 */
export { goldenPath, readGolden, sharedDirectory } from './read.ts';
export type {
  ActivationQuantizerCase,
  GoldenFiles,
  GoldenPrompt,
  GoldenTensor,
  GptqCase,
  KernelsGolden,
  OmniquantCase,
  OmniquantLayerGolden,
  SpikeLinearCase,
  SpikeMatmulCase,
  Stories260kGolden,
  TalesGolden,
  TokenizersGolden,
  WeightQuantizerCase,
} from './types.ts';
