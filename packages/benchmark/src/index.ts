/**
 * Synthetic spiking decoders and benchmarks of kernels and models, on any backend.
 *
 * @module
 */
export { SHAPE_NAMES, SHAPES, type Shape, type ShapeName } from './shapes.ts';
export { syntheticModel, type SyntheticModel, type SyntheticOptions, type WeightKind } from './synthetic.ts';
export { floatLinearRate, spikingLinearRate, weightStreamRate, type KernelOptions } from './kernels.ts';
export { benchmarkModel, decodeRate, promptRate, type ModelOptions, type ModelRates } from './model.ts';
export { randomBytes } from './random.ts';
export { spreadOf, type Spread } from './spread.ts';
