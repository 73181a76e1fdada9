import { codeType, SpikeError, type Backend, type DeviceTensor, type Runner } from '@spikellm/backend';
import type { DecoderConfig } from './config.ts';
import { hostTensor, stepClasses } from './linear.ts';
import { ropeTables } from './rope.ts';
import { FLOAT_BITS, type SpikingConfig } from './spiking-config.ts';

/** Spike steps of the cached channels of one layer, uint8 [K D] ([H D] for the published key quantiser). */
export interface KvSteps {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** The state that one layer keeps between calls: its operands by name. */
export type LayerCache = Readonly<Record<string, DeviceTensor>>;

/** What a decoder remembers of a text: keys and values of every layer, and how many tokens they hold. */
export interface KvCache extends Disposable {
  /** Positions the cache can hold. */
  readonly capacity: number;
  /** Tokens it holds now. `forward` moves it. */
  position: number;
  /** Rotary tables, each [capacity, D/2]. */
  readonly rope: { readonly cos: DeviceTensor; readonly sin: DeviceTensor };
  readonly layers: readonly LayerCache[];
  /** Forgets the text. */
  reset(): void;
  dispose(): void;
}

/** Attention of one layer: queries, keys after RoPE, values; each [N, heads D]. */
export type Attend = (
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  cache: LayerCache,
  position: number,
) => DeviceTensor;

/** How one layer attends and what it needs to remember, for each key quantiser. */
export interface PreparedAttention {
  readonly attend: Attend;
  allocate(backend: Backend, capacity: number): LayerCache;
}

/** Whether this model can be run token by token. The published key quantiser sees a whole window at once. */
export const isCausal = (spiking: SpikingConfig | undefined): boolean => spiking?.kv.key !== 'published';

export function prepareAttention(
  runner: Runner,
  { heads: H, kvHeads: K, headSize: D }: DecoderConfig,
  spiking: SpikingConfig | undefined,
  steps: KvSteps | undefined,
): PreparedAttention {
  const width = K * D;
  if (
    spiking === undefined ||
    steps === undefined ||
    spiking.kv.key === 'float' ||
    spiking.kv.bits >= FLOAT_BITS
  ) {
    return {
      attend: (q, k, v, cache, position) =>
        runner.run(
          'attend_f32',
          { q, k, v, keys: cache.keys, values: cache.values },
          { H, K, D },
          { position },
        ).y,
      allocate: (backend, capacity) => ({
        keys: backend.allocate('float32', [capacity, width]),
        values: backend.allocate('float32', [capacity, width]),
      }),
    };
  }
  const { key, bits, block } = spiking.kv;
  const gif = {
    H,
    K,
    D,
    bits,
    range: spiking.activations.range,
    classes: stepClasses(steps.keys, steps.values),
  };
  const constants = {
    keySteps: hostTensor('uint8', steps.keys),
    valueSteps: hostTensor('uint8', steps.values),
  };
  if (key === 'published') {
    const kernel = runner.prepare('attend_gif_published_f32', gif, constants);
    return {
      attend: (q, k, v, _, position) => {
        refuseSteps(position);
        return runner.apply(kernel, { q, k, v }).y;
      },
      allocate: () => ({}),
    };
  }
  const type = codeType(gif);
  const perToken = K * gif.classes.length;
  const coded = (backend: Backend, name: string, capacity: number, rows: number, columns: number) => ({
    [`${name}Codes`]: backend.allocate(type, [capacity, width]),
    [`${name}Scale`]: backend.allocate('float32', [rows, columns]),
    [`${name}Zero`]: backend.allocate('int32', [rows, columns]),
  });
  const values = (backend: Backend, capacity: number) =>
    coded(backend, 'value', capacity, capacity, perToken);
  if (key === 'token') {
    const kernel = runner.prepare('attend_gif_token_f32', gif, constants);
    return {
      attend: (q, k, v, cache, position) =>
        runner.apply(kernel, { q, k, v, ...cache } as never, { position }).y,
      allocate: (backend, capacity) => ({
        ...coded(backend, 'key', capacity, capacity, perToken),
        ...values(backend, capacity),
      }),
    };
  }
  const kernel = runner.prepare('attend_gif_block_f32', { ...gif, block }, constants);
  return {
    attend: (q, k, v, cache, position) =>
      runner.apply(kernel, { q, k, v, ...cache } as never, { position }).y,
    allocate: (backend, capacity) => ({
      openKeys: backend.allocate('float32', [block, width]),
      ...coded(backend, 'key', capacity, Math.ceil(capacity / block), width),
      ...values(backend, capacity),
    }),
  };
}

function refuseSteps(position: number): void {
  if (position === 0) return;
  throw new SpikeError('UNSUPPORTED', {
    where: "kv.key 'published'",
    expected: 'whole windows, since its key ranges see later tokens',
    received: `a continuation at position ${position}`,
    remedy: 'generate with a model quantised with --kv block or token',
  });
}

/** An empty cache. Errors: INVALID_ARGUMENT when the model has fewer positions. */
export function createCache(
  backend: Backend,
  config: DecoderConfig,
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
  const { cos, sin } = ropeTables(config.rope, config.headSize, capacity);
  const rope = { cos: backend.upload(cos), sin: backend.upload(sin) };
  const layers = attention.map((layer) => layer.allocate(backend, capacity));
  const cache: KvCache = {
    capacity,
    position: 0,
    rope,
    layers,
    reset() {
      cache.position = 0;
    },
    dispose() {
      for (const tensor of [rope.cos, rope.sin, ...layers.flatMap((layer) => Object.values(layer))]) {
        tensor.dispose();
      }
    },
    [Symbol.dispose]: () => cache.dispose(),
  };
  return cache;
}
