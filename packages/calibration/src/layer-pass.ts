import { createRunner, type Backend, type DeviceTensor } from '@spikellm/backend';
import {
  createCache,
  prepareLayer,
  type DecoderConfig,
  type LayerWeights,
  type SpikingConfig,
  type Taps,
} from '@spikellm/graph';
import type { ActivationStream } from './streams.ts';
import type { Watcher } from './watch.ts';

export interface LayerPassOptions {
  readonly config: DecoderConfig;
  readonly backend: Backend;
  readonly windows: readonly (readonly number[])[];
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onWindow?: (() => void) | undefined;
}

export interface LayerPass<Seen> {
  /** Of packed weights; float ones have none. */
  readonly spiking?: SpikingConfig | undefined;
  readonly from: ActivationStream;
  /** Takes the outputs, where they are wanted; it may be `from`. */
  readonly to?: ActivationStream | undefined;
  /** What to look at, in a float layer. */
  readonly watch?: Watcher<Seen> | undefined;
}

/** Runs every window of a stream through a layer, and returns what was seen. */
export async function runLayer<Seen = never>(
  { config, backend, windows, signal, onWindow }: LayerPassOptions,
  index: number,
  weights: LayerWeights,
  { spiking, from, to, watch: watcher }: LayerPass<Seen>,
): Promise<Seen | undefined> {
  using runner = createRunner(backend);
  const layer = prepareLayer(runner, config, index, weights, spiking);
  using cache = createCache(backend, config, [layer.attention], windows[0].length);
  using watch = watcher?.(backend, config, index, layer);
  const place = { position: 0, rope: cache.rope };
  const run = (x: DeviceTensor, taps: Taps | undefined): DeviceTensor =>
    runner.scope(() => layer.forward(x, cache.layers[0], place, taps));
  for (let window = 0; window < windows.length; window++) {
    signal?.throwIfAborted();
    const y = await from.use(window, async (x) => backend.abortable(signal, () => run(x, watch?.taps)));
    if (to) await to.set(window, y);
    else y.dispose();
    await backend.synchronize({ signal });
    await watch?.endWindow?.(window);
    onWindow?.();
  }
  return await watch?.read();
}
