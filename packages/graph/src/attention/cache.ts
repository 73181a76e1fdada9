/** What a decoder remembers of a text. */
import { SpikeError, type Backend, type DeviceTensor } from '@spikellm/backend';
import type { ModelGraph } from '../model.ts';
import { rotaryAngles } from '../rotary.ts';
import type { LayerCache, PreparedAttention } from './attention.ts';

/** cos and sin of a rotary table, each [capacity, width/2]. */
export interface Angles {
  readonly cos: DeviceTensor;
  readonly sin: DeviceTensor;
}

/** Keys and values of every layer, and how many tokens they hold. */
export interface KvCache extends Disposable {
  /** Positions the cache can hold. */
  readonly capacity: number;
  /** Tokens it holds now. `forward` moves it. */
  position: number;
  /** By the name of the rotary table. */
  readonly angles: Readonly<Record<string, Angles>>;
  readonly layers: readonly LayerCache[];
  /** Forgets the text. */
  reset(): void;
  /**
   * Forgets what follows the first `wanted` tokens, so that another text goes on from there. Of keys that are cached in
   * blocks a closed one cannot be cut: its tokens are forgotten as well, and run again.
   *
   * @param wanted - at most `position`
   * @returns the tokens that are still held, the new `position`: `wanted` or fewer
   */
  rewind(wanted: number): number;
  dispose(): void;
}

/** An empty cache. Errors: INVALID_ARGUMENT when the model has fewer positions. */
export function createCache(
  backend: Backend,
  { config, rotary }: Pick<ModelGraph, 'config' | 'rotary'>,
  attention: readonly PreparedAttention[],
  capacity: number,
): KvCache {
  if (!Number.isSafeInteger(capacity) || capacity < 1 || capacity > config.contextLength) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'KV cache',
      expected: `1 to ${config.contextLength} positions, the context of the model`,
      received: String(capacity),
      ...(capacity > config.contextLength && { remedy: 'take fewer, such as a smaller window' }),
    });
  }
  const angles = Object.fromEntries(
    Object.entries(rotary).map(([name, table]): [string, Angles] => {
      const { cos, sin } = rotaryAngles(table, capacity);
      return [name, { cos: backend.upload(cos), sin: backend.upload(sin) }];
    }),
  );
  const layers = attention.map((layer) => layer.allocate(backend, capacity));
  const held = [
    ...Object.values(angles).flatMap(({ cos, sin }) => [cos, sin]),
    ...layers.flatMap((layer) => Object.values(layer)),
  ];
  const cache: KvCache = {
    capacity,
    position: 0,
    angles,
    layers,
    reset() {
      cache.position = 0;
    },
    rewind(wanted) {
      const { position } = cache;
      cache.position = attention.reduce((kept, layer) => Math.min(kept, layer.kept(kept, position)), wanted);
      return cache.position;
    },
    dispose() {
      for (const tensor of held) tensor.dispose();
    },
    [Symbol.dispose]: () => cache.dispose(),
  };
  return cache;
}
