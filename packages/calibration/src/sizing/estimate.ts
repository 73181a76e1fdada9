import { needsGradients, needsScores } from '../settings.ts';
import { compensationSeconds } from './compensation-rates.ts';
import { hessianGroups } from './compensation.ts';
import { layerParameters, sizeRun, type RunSize, type SizingOptions } from './memory.ts';
import type { Rates } from './rates.ts';

export interface RunEstimate extends RunSize {
  /** The most that a part holds, beyond what the process has anyway. */
  readonly peakBytes: number;
  /** Without reading the model from disk. */
  readonly secondsPerLayer: number;
  readonly seconds: number;
}

/** Memory, disk and time of a run, before it begins. */
export function estimateRun(options: SizingOptions, rates: Rates): RunEstimate {
  const { config } = options;
  const size = sizeRun(options);
  const secondsPerLayer = layerSeconds(options, rates);
  return {
    ...size,
    peakBytes: Math.max(...size.parts.map(({ bytes }) => bytes)),
    secondsPerLayer,
    seconds: config.layers * secondsPerLayer,
  };
}

function layerSeconds({ config, settings, samples, length }: SizingOptions, rates: Rates): number {
  const weights = layerParameters(config);
  // A gradient pass goes forward once and then computes each layer again on a tape.
  let perToken = needsGradients(settings) ? rates.forward + rates.training : 0;
  const scores = needsScores(settings);
  if (settings.pipeline === 'omniquant') {
    // The float stream and the spiking one go through each layer; the latter once more where channels are scored.
    const { epochs, augmentedLoss } = settings.training;
    const watched = scores ? rates.scored : augmentedLoss ? rates.forward : 0;
    perToken += epochs * rates.training + 2 * rates.forward + watched;
  } else if (scores || settings.pipeline === 'smoothquant') perToken += rates.scored;
  const tokens = samples * length;
  if (settings.pipeline === 'gptq') {
    // A pass for each Hessian, and one of what was written.
    perToken += (hessianGroups(config).length + 1) * rates.forward;
    return perToken * tokens * weights + compensationSeconds(config, tokens, rates);
  }
  return perToken * tokens * weights + rates.encoding * weights;
}
