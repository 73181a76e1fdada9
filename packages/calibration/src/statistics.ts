import type { Backend } from '@spikellm/backend';
import { bindTensors, inArena, readLayer, type ModelGraph, type TensorSource } from '@spikellm/graph';
import { embedWindows } from './embed.ts';
import { runLayer } from './layer-pass.ts';
import { observeLayer, type LayerStatistics } from './observers.ts';
import { createStreams, type Spilling } from './streams.ts';

export interface CollectOptions {
  readonly graph: ModelGraph;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  /** Token ids, windows of one length. */
  readonly windows: readonly (readonly number[])[];
  /** Where activations between layers go that have no room in memory; without it they all have. */
  readonly spilling?: Spilling;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window of each layer. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Runs the float model over the calibration windows, one layer in memory at a time, and gathers what metrics need. */
export async function collectStatistics(options: CollectOptions): Promise<LayerStatistics[]> {
  const { graph, backend, windows, signal, onProgress } = options;
  const tensors = bindTensors(options.tensors, graph, undefined);
  const total = graph.layers.length * windows.length;
  let done = 0;
  const passing = { ...options, onWindow: () => onProgress?.(++done, total) };
  const { float } = await createStreams(options, ['float']);
  const statistics: LayerStatistics[] = [];
  try {
    await embedWindows({ ...options, tensors }, float);
    const arena = inArena(tensors);
    for (const layer of graph.layers) {
      const weights = await readLayer(arena.tensors, layer, undefined, signal);
      const pass = { from: float, to: float, observe: observeLayer };
      statistics.push((await runLayer<LayerStatistics>(passing, layer, weights, pass))!);
      arena.free();
      signal?.throwIfAborted();
    }
  } finally {
    await float[Symbol.asyncDispose]();
    await backend.synchronize();
  }
  return statistics;
}
