/**
 * Integrate-and-fire neurons that emit multi-level and ternary spikes, as pure functions on frozen records.
 *
 * @module
 */
export { ifNeuron, ifSequence, ifStep, type IfNeuron } from './integrate-and-fire.ts';
export { lifNeuron, lifSequence, lifStep, type LifNeuron } from './leaky.ts';
export { gifNeuron, gifSequence, gifStep, type GifNeuron } from './gif.ts';
export { ternaryNeuron, ternarySequence, ternaryStep, type TernaryNeuron } from './ternary.ts';
export { hardReset, softReset, type Reset } from './reset.ts';
export {
  atRest,
  halfLevel,
  stateAt,
  type Neuron,
  type NeuronKind,
  type NeuronState,
  type NeuronStep,
} from './neuron.ts';
export { NEURONS } from './registry.ts';
export { sequence, type NeuronSequence, type Trace } from './sequence.ts';
export {
  count,
  decode,
  encode,
  gifParameters,
  residual,
  unroll,
  type GifOptions,
  type GifParameters,
} from './codes.ts';
export { decodeTernary, encodeTernary, unrollTernary } from './ternary-codes.ts';
export {
  counts,
  gifTrain,
  pack,
  ternaryTrain,
  unpack,
  type SpikeShape,
  type SpikeTrain,
} from './spike-train.ts';
export {
  bitsPerActivation,
  firingStatistics,
  mergedBits,
  type BitsPerActivation,
  type FiringStatistics,
  type StepAllocation,
} from './statistics.ts';
export { rint } from '@spikellm/backend';
