import { collectStatistics } from '@spikellm/calibration';
import { inputSites, parseModel } from '@spikellm/graph';
import { showProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import { digest, type ResultCache } from './cache.ts';
import type { Comparison } from './run.ts';

/** Published saliency of the float model's inputs: how much the channels of an input differ. */
export interface SaliencyRow {
  readonly layer: number;
  /** The spike site, such as `qkv`. */
  readonly group: string;
  readonly channels: number;
  /** |score| of neighbouring channels, the largest of each bin, over the mean of the input: at most `BINS`. */
  readonly bins: readonly number[];
  /** Share of the sum of |score| that the tenth of the channels with the largest ones has. */
  readonly topTenth: number;
}

/** So that a plot of a large model stays readable and small. */
const BINS = 96;

/** One row for each input of each layer; from the cache where it is there. */
export async function saliencyMap(
  session: Session,
  { model, fingerprint, backend, calibration, version }: Comparison,
  cache: ResultCache,
): Promise<readonly SaliencyRow[]> {
  const inputs = { saliency: fingerprint, calibration: digest(JSON.stringify(calibration)), version };
  const known = await cache.find<SaliencyRow[]>(inputs);
  if (known !== undefined) return known;
  using progress = showProgress(session);
  const graph = parseModel(model.config);
  const statistics = await collectStatistics({
    graph,
    tensors: model.tensors,
    backend,
    windows: calibration,
    signal: session.signal,
    onProgress: (done, total) => progress.update('saliency', done, total),
  });
  const rows = statistics.flatMap(({ channels }, layer) =>
    inputSites(graph.layers[layer]).map(({ name, readers }) => {
      const scores = readers.map((reader) => channels[reader.name].map(Math.abs));
      return describeScores(
        layer,
        name,
        scores[0].map((_, i) => scores.reduce((sum, own) => sum + own[i], 0)),
      );
    }),
  );
  await cache.keep(inputs, rows);
  return rows;
}

function describeScores(layer: number, group: string, scores: Float64Array): SaliencyRow {
  const channels = scores.length;
  const total = scores.reduce((sum, score) => sum + score, 0);
  const mean = total / channels || 1;
  const count = Math.min(BINS, channels);
  const bins = Array.from({ length: count }, (_, bin) => {
    const own = scores.subarray(
      Math.floor((bin * channels) / count),
      Math.floor(((bin + 1) * channels) / count),
    );
    return Math.max(...own) / mean;
  });
  const top = scores.toSorted((a, b) => b - a).subarray(0, Math.ceil(channels / 10));
  return {
    layer,
    group,
    channels,
    bins,
    topTenth: top.reduce((sum, score) => sum + score, 0) / (total || 1),
  };
}
