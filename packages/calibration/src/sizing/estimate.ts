import { ownSettings, pipelineOf } from '../pipelines/index.ts';
import { needsGradients, needsStatistics } from '../settings/settings.ts';
import { sizeRun, type RunSize, type SizingOptions } from './memory.ts';
import { layerParameters } from './pipeline-size.ts';
import type { MeasuredRates } from './rates.ts';

export interface RunEstimate extends RunSize {
  /** The most that a part holds, beyond what the process has anyway. */
  readonly peakBytes: number;
  /** Without reading the model from disk; the mean of the layers. */
  readonly secondsPerLayer: number;
  readonly seconds: number;
}

/** Memory, disk and time of a run, before it begins. */
export function estimateRun(options: SizingOptions, rates: MeasuredRates): RunEstimate {
  const { graph, settings, samples, length } = options;
  const size = sizeRun(options);
  const { name, size: pipeline } = pipelineOf(settings);
  const tokens = samples * length;
  let seconds = 0;
  for (const layer of graph.layers) {
    const weights = layerParameters(layer);
    const work = { layer, weights, tokens, scores: needsStatistics(settings), rates: rates.common };
    // A gradient pass goes forward once and then computes each layer again on a tape.
    if (needsGradients(settings))
      seconds += (rates.common.forward + rates.common.training) * tokens * weights;
    seconds += pipeline.seconds(work, ownSettings(settings), rates.own.get(name));
  }
  return {
    ...size,
    peakBytes: Math.max(...size.parts.map(({ bytes }) => bytes)),
    secondsPerLayer: seconds / graph.layers.length,
    seconds,
  };
}
