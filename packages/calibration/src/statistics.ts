import type { Backend } from '@spikellm/backend';
import { lend, readLayer, type DecoderConfig, type TensorSource } from '@spikellm/graph';
import { embedWindows } from './embed.ts';
import { runLayer } from './layer-pass.ts';
import { createStreams, type Spilling } from './streams.ts';
import { watchLayer, type LayerStatistics } from './watch.ts';

/** Keeps the statistics of finished layers, so that a run can be resumed. */
export interface StatisticsStore {
  load(layer: number): Promise<LayerStatistics | undefined>;
  save(layer: number, statistics: LayerStatistics): Promise<void>;
}

export interface CollectOptions {
  readonly config: DecoderConfig;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  /** Token ids, windows of one length. */
  readonly windows: readonly (readonly number[])[];
  readonly store?: StatisticsStore;
  /** Where activations between layers go that have no room in memory; without it they all have. */
  readonly spilling?: Spilling;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window of each layer. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Runs the float model over the calibration windows, one layer in memory at a time, and gathers what the pipelines need.
 */
export async function collectStatistics(options: CollectOptions): Promise<LayerStatistics[]> {
  const { config, tensors, backend, windows, store, signal, onProgress } = options;
  const statistics: LayerStatistics[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const known = await store?.load(layer);
    if (known === undefined) break;
    statistics.push(known);
  }
  if (statistics.length === config.layers) return statistics;

  const total = config.layers * windows.length;
  let done = 0;
  const passing = { ...options, onWindow: () => onProgress?.(++done, total) };
  const { statistics: stream } = await createStreams(options, ['statistics']);
  try {
    await embedWindows(options, stream);
    const lent = lend(tensors);
    for (let layer = 0; layer < config.layers; layer++) {
      const watch = layer < statistics.length ? undefined : watchLayer;
      const weights = await readLayer(lent.tensors, config, layer, undefined, signal);
      const seen = await runLayer(passing, layer, weights, { from: stream, to: stream, watch });
      lent.free();
      if (seen === undefined) continue;
      statistics.push(seen);
      await store?.save(layer, seen);
      signal?.throwIfAborted();
    }
  } finally {
    await stream[Symbol.asyncDispose]();
    await backend.synchronize();
  }
  return statistics;
}
