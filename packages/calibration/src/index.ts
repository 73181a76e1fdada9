/**
 * Post-training pipelines that turn a float decoder into a spiking one, layer by layer, resumable.
 *
 * @module
 */
export {
  checkSettings,
  DEFAULT_SETTINGS,
  GRANULARITIES,
  hasSalience,
  KEY_BLOCK,
  PIPELINES,
  ROTATIONS,
  SALIENCY_METRICS,
  spikingConfig,
  type QuantizeSettings,
} from './settings.ts';
export { sampleWindows } from './samples.ts';
export {
  clippingGradients,
  dequantiseRows,
  quantiseRows,
  type Clipping,
  type QuantisedRows,
  type WeightFormat,
} from './weight-quantiser.ts';
export { collectStatistics, type CollectOptions, type StatisticsStore } from './statistics.ts';
export type { LayerSizes, LayerStatistics } from './watch.ts';
export { createStepChooser, uniformSteps, type LayerSteps, type StepChooser } from './steps.ts';
export { measureGradients, type GradientPassOptions } from './fisher/gradients.ts';
export type { ChannelMoments, LayerMoments } from './fisher/moments.ts';
export { planSteps, STEP_CHOICES, type StepPlan } from './fisher/plan.ts';
export { DEFAULT_TRAINING, INITIAL_SCALES, type TrainingSettings } from './omniquant/settings.ts';
export {
  DEFAULT_GPTQ,
  WEIGHT_KINDS,
  WEIGHT_STEP_CHOICES,
  WEIGHT_UNITS,
  type GptqSettings,
} from './gptq/settings.ts';
export { fakeQuantise, type BaselineMethod, type FakeQuantised } from './baselines/methods.ts';
export { quantizeBaseline, type BaselineOptions, type BaselineReport } from './baselines/model.ts';
export { integerMethod } from './gptq/integer.ts';
export { ternaryMethod } from './gptq/ternary.ts';
export type { QuantisedWeight, WeightMethod } from './gptq/layer.ts';
export { factorHessian, type FactoredHessian, type FactorOptions } from './gptq/factor.ts';
export { initialParameters, type LayerParameters, type ParameterOptions } from './omniquant/parameters.ts';
export { trainLayer, type TrainLayerOptions } from './omniquant/train.ts';
export { createStream, type ActivationStream, type Spilling, type StreamOptions } from './streams.ts';
export { applyScales, type EquivalentScales } from './equivalence.ts';
export { rotateModel, type RotatedModel } from './rotation.ts';
export { smoothLayer } from './smoothing.ts';
export { DEFAULT_MEMORY, quantize, type QuantizeOptions, type QuantizeProgress } from './quantize.ts';
export type { LayerLog, TrainingProgress } from './omniquant/pipeline.ts';
export { estimateRun, type RunEstimate } from './sizing/estimate.ts';
export { sizeRun, type PartSize, type RunSize, type SizingOptions } from './sizing/memory.ts';
export { measureRates, type Rates } from './sizing/rates.ts';
