/** What a decoder remembers of a text. */
import { SpikeError, type Backend, type DeviceTensor } from '@spikellm/backend';
import type { ModelGraph } from '../model.ts';
import { fitsAnyLength, rotaryAngles } from '../rotary.ts';
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
  /** Positions that the text may have in all, for which rotary tables that depend on it are made. */
  readonly context: number;
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

type Sizes = Pick<ModelGraph, 'config' | 'rotary'>;

/** Positions that a text may have at most. */
export const mostPositions = ({ config, rotary }: Sizes): number => {
  const tables = Object.values(rotary);
  return tables.length > 0 && tables.every(fitsAnyLength) ? Infinity : config.contextLength;
};

/**
 * An empty cache. Errors: INVALID_ARGUMENT when the model has fewer positions, or the text was to have fewer.
 *
 * @param context - positions that the text may have in all; those of the cache where it is not given
 */
export function createCache(
  backend: Backend,
  model: Sizes,
  attention: readonly PreparedAttention[],
  capacity: number,
  context = capacity,
): KvCache {
  for (const positions of [capacity, context]) checkContext(positions, model);
  checkCapacity(capacity, context);
  const angles = Object.fromEntries(
    Object.entries(model.rotary).map(([name, table]): [string, Angles] => {
      const { cos, sin } = rotaryAngles(table, capacity, context);
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
    context,
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

/** Errors: INVALID_ARGUMENT for positions that the model does not have. */
export function checkContext(positions: number, model: Sizes): void {
  const most = mostPositions(model);
  if (Number.isSafeInteger(positions) && positions >= 1 && positions <= most) return;
  const remedy = positions > most ? 'take fewer, such as a smaller window' : undefined;
  throw refused(`1 to ${most} positions, the context of the model`, positions, remedy);
}

function checkCapacity(capacity: number, context: number): void {
  if (capacity <= context) return;
  const expected = `at most ${context} positions, the context that was declared`;
  throw refused(expected, capacity, 'declare a longer one: rotary embeddings are made for it');
}

const refused = (expected: string, received: number, remedy: string | undefined): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where: 'KV cache',
    expected,
    received: String(received),
    ...(remedy !== undefined && { remedy }),
  });
