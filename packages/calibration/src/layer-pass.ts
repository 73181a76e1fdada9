import { createRunner, type Backend, type DeviceTensor } from '@spikellm/backend';
import {
  createCache,
  prepareLayer,
  type LayerGraph,
  type LayerWeights,
  type ModelGraph,
  type Observers,
  type SpikingConfig,
} from '@spikellm/graph';
import type { Observe } from './observers.ts';
import type { ActivationStream } from './streams.ts';

export interface LayerPassOptions {
  readonly graph: ModelGraph;
  readonly backend: Backend;
  readonly windows: readonly (readonly number[])[];
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onWindow?: (() => void) | undefined;
}

export interface LayerPass<Seen> {
  /** Of quantised weights; float ones have none. */
  readonly spiking?: SpikingConfig | undefined;
  readonly from: ActivationStream;
  /** Takes the outputs, where they are wanted; it may be `from`. */
  readonly to?: ActivationStream | undefined;
  /** What to look at, in a float layer. */
  readonly observe?: Observe<Seen> | undefined;
}

/** Runs every window of a stream through a layer, and returns what was seen. */
export async function runLayer<Seen = never>(
  { graph, backend, windows, signal, onWindow }: LayerPassOptions,
  layer: LayerGraph,
  weights: LayerWeights,
  { spiking, from, to, observe }: LayerPass<Seen>,
): Promise<Seen | undefined> {
  using runner = createRunner(backend);
  const prepared = prepareLayer(runner, layer, weights, { spiking });
  using cache = createCache(backend, graph, [prepared.attention], windows[0].length);
  using observer = observe?.(backend, layer, prepared);
  const at = { position: 0, angles: cache.angles };
  const run = (x: DeviceTensor, observers: Observers | undefined): DeviceTensor =>
    runner.scope(() => prepared.forward(x, cache.layers[0], at, observers));
  for (let window = 0; window < windows.length; window++) {
    signal?.throwIfAborted();
    const y = await from.use(window, async (x) =>
      backend.abortable(signal, () => run(x, observer?.observers)),
    );
    if (to) await to.set(window, y);
    else y.dispose();
    await backend.synchronize({ signal });
    await observer?.endWindow?.(window);
    onWindow?.();
  }
  return await observer?.read();
}
