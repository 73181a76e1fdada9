/**
 * Post-training pipelines that turn a float decoder into a spiking one, layer by layer, resumable.
 *
 * @module
 */
export { quantizeBaseline, type BaselineOptions, type BaselineReport } from './baselines/model.ts';
export { fakeQuantise, type BaselineMethod, type FakeQuantised } from './baselines/methods.ts';
export { factorHessian, type FactoredHessian, type FactorOptions } from './compensation/factor.ts';
export { integerMethod } from './compensation/integer.ts';
export type { QuantisedWeight, WeightMethod } from './compensation/layer.ts';
export {
  GPTQ_FIELDS,
  WEIGHT_KINDS,
  WEIGHT_STEP_CHOICES,
  WEIGHT_UNITS,
  type GptqSettings,
} from './compensation/settings.ts';
export { ternaryMethod } from './compensation/ternary.ts';
export { measureGradients, type FoldLayer, type GradientPassOptions } from './gradients/measure.ts';
export type { LayerMoments } from './gradients/moments.ts';
export { planSteps, STEP_CHOICES, type StepPlan } from './gradients/plan.ts';
export type { LayerSizes, LayerStatistics } from './observers.ts';
export {
  checkSettings,
  DEFAULT_SETTINGS,
  ownSettings,
  pipelineOf,
  PIPELINES,
  spikingConfig,
} from './pipelines/index.ts';
export type { LayerTask, Pipeline, StreamNeeds, Streams, TrainingProgress } from './pipelines/pipeline.ts';
export { DEFAULT_MEMORY, quantize, type QuantizeOptions, type QuantizeProgress } from './quantize.ts';
export { sampleWindows } from './samples.ts';
export { defaultsOf, type Fields, type SettingField } from './settings/fields.ts';
export {
  COMMON_FIELDS,
  GRANULARITIES,
  hasSalience,
  KEY_BLOCK,
  ROTATIONS,
  STEP_COUNTS,
  type CommonSettings,
  type QuantizeSettings,
} from './settings/settings.ts';
export { estimateRun, type RunEstimate } from './sizing/estimate.ts';
export { sizeRun, type RunSize, type SizingOptions } from './sizing/memory.ts';
export type { PartSize, Rates } from './sizing/pipeline-size.ts';
export { measureRates, type MeasuredRates } from './sizing/rates.ts';
export { collectStatistics, type CollectOptions } from './statistics.ts';
export { createStepChooser, uniformSteps, type LayerSteps, type StepChooser } from './steps.ts';
export { createStream, type ActivationStream, type Spilling, type StreamOptions } from './streams.ts';
export { initialParameters, type LayerParameters, type ParameterOptions } from './training/parameters.ts';
export { INITIAL_SCALES, TRAINING_FIELDS, type TrainingSettings } from './training/settings.ts';
export { trainLayer, type TrainLayerOptions } from './training/train.ts';
export { applyScales, type EquivalentScales } from './transforms/apply-scales.ts';
export { planFolds, type Fold, type FoldPart } from './transforms/folds.ts';
export { planRotation, type LinearRotation } from './transforms/plan-rotation.ts';
export { rotateModel, type RotatedModel } from './transforms/rotation.ts';
export { smoothLayer } from './transforms/smoothing.ts';
export {
  clippingGradients,
  dequantiseRows,
  quantiseRows,
  type Clipping,
  type QuantisedRows,
  type WeightFormat,
} from './weight-quantiser.ts';
export { floatModel } from './check.ts';
