import { createRunner, SpikeError, type Backend, type DeviceTensor } from '@spikellm/backend';
import { createCache, type KvCache } from './cache.ts';
import { parseDecoderConfig, type DecoderConfig } from './config.ts';
import { hostTensor } from './linear.ts';
import { lend } from './lend.ts';
import { prepareLayer, readLayer, type DecoderLayer, type Taps } from './layer.ts';
import { checkLayerCount, FINAL_NORM, readWeight, type TensorSource } from './registry.ts';
import { parseSpikingConfig, type SpikingConfig } from './spiking-config.ts';
import { loadTables, type PreparedTables } from './tables.ts';

export interface LoadOptions {
  /** Parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly signal?: AbortSignal;
  /** Called after each layer. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ForwardOptions {
  readonly taps?: Taps;
  /** Logits of every token, or of the last one only. */
  readonly logits: 'all' | 'last';
  /** Ties the pass to a signal, as `Backend.abortable` does; read the logits with the same signal. */
  readonly signal?: AbortSignal | undefined;
}

/** A decoder on a backend, float or spiking. */
export interface Decoder extends Disposable {
  readonly backend: Backend;
  readonly config: DecoderConfig;
  readonly spiking: SpikingConfig | undefined;
  /** An empty cache. Errors: INVALID_ARGUMENT when `capacity` exceeds the model's context. */
  createCache(capacity: number): KvCache;
  /**
   * Runs the tokens that follow what the cache holds, and moves the cache on. When `signal` is aborted before the pass
   * has ended, the logits and the whole cache mean nothing any more: reset or dispose it.
   *
   * @returns logits [N, V], or [1, V] for `logits: 'last'`; the caller disposes them
   * Errors: INVALID_ARGUMENT for no tokens, an id outside the vocabulary, or more tokens than the cache has room for.
   */
  forward(ids: readonly number[], cache: KvCache, options: ForwardOptions): DeviceTensor;
  dispose(): void;
}

/** Reads a model and makes it ready on a backend. Errors: those of the config, MISSING, SHAPE, NOT_FINITE. */
export async function loadDecoder({
  config: json,
  tensors,
  backend,
  signal,
  onProgress,
}: LoadOptions): Promise<Decoder> {
  const config = parseDecoderConfig(json);
  const spiking = parseSpikingConfig(json);
  checkLayerCount(tensors, config);
  const runner = createRunner(backend);
  const lent = lend(tensors);
  try {
    const ends = await loadTables(runner, lent.tensors, config, spiking, signal);
    const finalNorm = runner.upload(await readWeight(lent.tensors, FINAL_NORM, [config.hiddenSize], signal));
    lent.free();
    const layers: DecoderLayer[] = [];
    for (let index = 0; index < config.layers; index++) {
      signal?.throwIfAborted();
      const weights = await readLayer(lent.tensors, config, index, spiking, signal);
      layers.push(prepareLayer(runner, config, index, weights, spiking));
      lent.free();
      await backend.synchronize(); // so that no more than one layer waits to be packed
      onProgress?.(index + 1, config.layers);
    }
    return assemble(backend, runner, config, spiking, { ...ends, finalNorm }, layers);
  } catch (error) {
    runner.dispose();
    throw error;
  }
}

function assemble(
  backend: Backend,
  runner: ReturnType<typeof createRunner>,
  config: DecoderConfig,
  spiking: SpikingConfig | undefined,
  { embed, head, finalNorm }: PreparedTables & { readonly finalNorm: DeviceTensor },
  layers: readonly DecoderLayer[],
): Decoder {
  /** Rows by index. */
  const gather = (rows: readonly number[], from: (ids: DeviceTensor) => DeviceTensor): DeviceTensor => {
    using ids = backend.upload(hostTensor('int32', Int32Array.from(rows)));
    return from(ids);
  };

  const decoder: Decoder = {
    backend,
    config,
    spiking,
    createCache: (capacity) =>
      createCache(
        backend,
        config,
        layers.map(({ attention }) => attention),
        capacity,
      ),

    forward(ids, cache, { taps, logits, signal }) {
      checkIds(ids, config.vocabularySize);
      checkRoom(ids.length, cache);
      const pass = (): DeviceTensor => {
        const place = { position: cache.position, rope: cache.rope };
        let x = gather(ids, embed);
        layers.forEach((layer, index) => {
          const next = runner.scope(() => layer.forward(x, cache.layers[index], place, taps));
          x.dispose();
          x = next;
        });
        cache.position += ids.length;
        const row = (index: DeviceTensor) => runner.run('embedding_f32', { ids: index, table: x }).y;
        const last = logits === 'last' ? gather([ids.length - 1], row) : x;
        const normed = runner.run(
          'rmsnorm_f32',
          { x: last, weight: finalNorm },
          { eps: config.normEpsilon },
        ).y;
        return head(normed);
      };
      return backend.abortable(signal, () => runner.scope(pass));
    },

    dispose: () => runner.dispose(),
    [Symbol.dispose]: () => decoder.dispose(),
  };
  return decoder;
}

/** Errors: INVALID_ARGUMENT for an id outside the vocabulary. */
export function checkIds(ids: readonly number[], vocabularySize: number): void {
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong !== undefined) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'forward',
      expected: `token ids from 0 to ${vocabularySize - 1}`,
      received: String(wrong),
      remedy: 'check that the tokenizer belongs to this model',
    });
  }
}

function checkRoom(tokens: number, { position, capacity }: KvCache): void {
  if (tokens >= 1 && position + tokens <= capacity) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'forward',
    expected: `1 to ${capacity - position} tokens, the room left in the KV cache`,
    received: String(tokens),
  });
}
