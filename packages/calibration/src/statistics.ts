import { createRunner, type Backend, type DeviceTensor } from '@spikellm/backend';
import {
  createCache,
  EMBEDDING,
  hostTensor,
  prepareLayer,
  readLayer,
  readWeight,
  type DecoderConfig,
  type KvCache,
  type TensorSource,
} from '@spikellm/graph';
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
  readonly signal?: AbortSignal | undefined;
  /** Called after each window of each layer. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Runs the float model over the calibration windows, one layer in memory at a time, and gathers what the pipelines need.
 * The streams between layers, [windows, length, hidden] float32, stay on the device.
 */
export async function collectStatistics(options: CollectOptions): Promise<LayerStatistics[]> {
  const { config, backend, windows, store, signal, onProgress } = options;
  const statistics: LayerStatistics[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const known = await store?.load(layer);
    if (known === undefined) break;
    statistics.push(known);
  }
  const total = config.layers * windows.length;
  if (statistics.length === config.layers) return statistics;

  let streams: DeviceTensor[] = [];
  for await (const x of embedWindows(options)) streams.push(x);
  const advance = (layer: number, window: number): void =>
    onProgress?.(layer * windows.length + window + 1, total);
  try {
    for (let layer = 0; layer < config.layers; layer++) {
      const observed = layer >= statistics.length;
      const result = await runLayer(options, layer, streams, observed, (window) => advance(layer, window));
      streams = result.streams;
      if (result.statistics === undefined) continue;
      statistics.push(result.statistics);
      await store?.save(layer, result.statistics);
      signal?.throwIfAborted();
    }
  } finally {
    for (const x of streams) x.dispose();
    await backend.synchronize();
  }
  return statistics;
}

/** The embeddings [length, hidden] of one window after the other; the taker owns them. */
export async function* embedWindows({
  config,
  tensors,
  backend,
  windows,
}: Pick<CollectOptions, 'config' | 'tensors' | 'backend' | 'windows'>): AsyncGenerator<DeviceTensor> {
  using runner = createRunner(backend);
  const shape = [config.vocabularySize, config.hiddenSize];
  const table = runner.upload(await readWeight(tensors, EMBEDDING, shape));
  for (const window of windows) {
    using ids = backend.upload(hostTensor('int32', Int32Array.from(window)));
    yield runner.run('embedding_f32', { ids, table }).y;
  }
}

/** Moves every stream through one layer, in place of the old ones, and reads what was observed. */
async function runLayer(
  { config, tensors, backend, windows, signal }: CollectOptions,
  index: number,
  streams: readonly DeviceTensor[],
  observed: boolean,
  onWindow: (window: number) => void,
): Promise<{ streams: DeviceTensor[]; statistics: LayerStatistics | undefined }> {
  using runner = createRunner(backend);
  const layer = prepareLayer(
    runner,
    config,
    index,
    await readLayer(tensors, config, index, undefined, signal),
  );
  using cache: KvCache = createCache(backend, config, [layer.attention], windows[0].length);
  using watch = observed ? watchLayer(backend, config, index, layer) : undefined;
  const next: DeviceTensor[] = [];
  try {
    for (const [window, x] of streams.entries()) {
      signal?.throwIfAborted();
      const place = { position: 0, rope: cache.rope };
      const pass = (): DeviceTensor => layer.forward(x, cache.layers[0], place, watch?.taps);
      next.push(backend.abortable(signal, () => runner.scope(pass)));
      x.dispose();
      await backend.synchronize({ signal });
      onWindow(window);
    }
    return { streams: next, statistics: await watch?.read() };
  } catch (error) {
    for (const x of next) x.dispose();
    throw error;
  }
}
