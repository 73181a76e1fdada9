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
import { watchLayer, type LayerStatistics } from './watch.ts';

export interface LayerPassOptions {
  readonly config: DecoderConfig;
  readonly backend: Backend;
  readonly windows: readonly (readonly number[])[];
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onWindow?: (() => void) | undefined;
}

/**
 * Runs every window of `from` through a layer. The outputs become `to`, where there is one; what a watched layer sees,
 * which is a float one, is returned.
 */
export async function runLayer(
  { config, backend, windows, signal, onWindow }: LayerPassOptions,
  index: number,
  weights: LayerWeights,
  spiking: SpikingConfig | undefined,
  from: ActivationStream,
  to: ActivationStream | undefined,
  watched = spiking === undefined,
): Promise<LayerStatistics | undefined> {
  using runner = createRunner(backend);
  const layer = prepareLayer(runner, config, index, weights, spiking);
  using cache = createCache(backend, config, [layer.attention], windows[0].length);
  using watch = watched ? watchLayer(backend, config, index, layer) : undefined;
  const place = { position: 0, rope: cache.rope };
  const run = (x: DeviceTensor, taps: Taps | undefined): DeviceTensor =>
    runner.scope(() => layer.forward(x, cache.layers[0], place, taps));
  for (let window = 0; window < windows.length; window++) {
    signal?.throwIfAborted();
    const y = await from.use(window, async (x) => backend.abortable(signal, () => run(x, watch?.taps)));
    if (to) await to.set(window, y);
    else y.dispose();
    await backend.synchronize({ signal });
    onWindow?.();
  }
  return await watch?.read();
}
