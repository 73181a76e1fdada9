/** A whole decoder on a backend. */
import { createRunner, SpikeError, type Backend, type DeviceTensor, type Runner } from '@spikellm/backend';
import { checkContext, createCache, mostPositions, type KvCache } from '../attention/cache.ts';
import { parseModel } from '../families/index.ts';
import type { Table } from '../formats/format.ts';
import { inArena } from '../host-arena.ts';
import { hostTensor } from '../host-tensor.ts';
import type { Graph } from '../ir/nodes.ts';
import type { DecoderConfig, ModelGraph } from '../model.ts';
import { parseSpikingConfig, type SpikingConfig } from '../spiking-config.ts';
import type { TensorSource } from '../tensors.ts';
import { bindTensors } from '../weights.ts';
import { readLayer } from './layer-weights.ts';
import type { Observers } from './pass.ts';
import { loadEnd, prepareLayer, type DecoderLayer, type End } from './prepare.ts';

export interface LoadOptions {
  /** Parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  /**
   * Positions that a text may have in all, prompt and answer. Rotary embeddings whose angles depend on it are made for it
   * once; without it, each cache is made for as many as it holds.
   */
  readonly context?: number | undefined;
  readonly signal?: AbortSignal;
  /** Called after each layer. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ForwardOptions {
  readonly observers?: Observers;
  /** Logits of every token, of the last one only, or of so many of the last. */
  readonly logits: 'all' | 'last' | number;
  /** Ties the pass to a signal, as `Backend.abortable` does; read the logits with the same signal. */
  readonly signal?: AbortSignal | undefined;
}

/** A decoder on a backend, float or spiking. */
export interface Decoder extends Disposable {
  readonly backend: Backend;
  readonly model: ModelGraph;
  readonly config: DecoderConfig;
  readonly spiking: SpikingConfig | undefined;
  /** Positions that a text may have at most: as declared, or those of the model. */
  readonly context: number;
  /** An empty cache. Errors: INVALID_ARGUMENT when `capacity` exceeds the model's context, or the one that was declared. */
  createCache(capacity: number): KvCache;
  /**
   * Runs the tokens that follow what the cache holds, and moves the cache on. When `signal` is aborted before the pass
   * has ended, the logits and the whole cache mean nothing any more: reset or dispose it.
   *
   * @returns logits [N, V], or as many rows as `logits` says, [1, V] for 'last'; the caller disposes them
   * Errors: INVALID_ARGUMENT for no tokens, an id outside the vocabulary, more tokens than the cache has room for, or rows
   * of logits that are not 1 to N.
   */
  forward(ids: readonly number[], cache: KvCache, options: ForwardOptions): DeviceTensor;
  dispose(): void;
}

/** Reads a model and makes it ready on a backend. Errors: those of the config, MISSING, SHAPE, NOT_FINITE, MISMATCH. */
export async function loadDecoder({
  config: json,
  tensors: source,
  backend,
  context,
  signal,
  onProgress,
}: LoadOptions): Promise<Decoder> {
  const model = parseModel(json);
  const spiking = parseSpikingConfig(json);
  if (context !== undefined) checkContext(context, model);
  const tensors = bindTensors(source, model, spiking);
  const runner = createRunner(backend);
  const arena = inArena(tensors);
  try {
    const ends = await loadEnds(runner, arena.tensors, model, spiking, signal);
    arena.free();
    const layers: DecoderLayer[] = [];
    for (const layer of model.layers) {
      signal?.throwIfAborted();
      const weights = await readLayer(arena.tensors, layer, spiking, signal);
      layers.push(prepareLayer(runner, layer, weights, { spiking }));
      arena.free();
      await backend.synchronize(); // so that no more than one layer waits to be packed
      onProgress?.(layers.length, model.layers.length);
    }
    return assemble(runner, { model, spiking, context }, ends, layers);
  } catch (error) {
    runner.dispose();
    throw error;
  }
}

/** The two ends of a decoder. Where they are tied there is one table in memory. */
interface Ends {
  /** ids [N] to x [N, C]. */
  readonly embed: End;
  /** x [N, C] to logits [N, V]. */
  readonly head: End;
}

async function loadEnds(
  runner: Runner,
  source: TensorSource,
  { embed, head }: ModelGraph,
  spiking: SpikingConfig | undefined,
  signal?: AbortSignal,
): Promise<Ends> {
  const loaded = new Map<string, Table>();
  const load = (graph: Graph) => loadEnd(runner, source, graph, { spiking, signal, loaded });
  return { embed: await load(embed), head: await load(head) };
}

function assemble(
  runner: Runner,
  { model, spiking, context }: Pick<Decoder, 'model' | 'spiking'> & Pick<LoadOptions, 'context'>,
  { embed, head }: Ends,
  layers: readonly DecoderLayer[],
): Decoder {
  const { backend } = runner;
  const { config } = model;
  /** Rows by index. */
  const gather = (rows: readonly number[], from: (ids: DeviceTensor) => DeviceTensor): DeviceTensor => {
    using ids = backend.upload(hostTensor('int32', Int32Array.from(rows)));
    return from(ids);
  };
  const attention = layers.map((layer) => layer.attention);

  const decoder: Decoder = {
    backend,
    model,
    config,
    spiking,
    context: context ?? mostPositions(model),
    createCache: (capacity) => createCache(backend, model, attention, capacity, context),

    forward(ids, cache, { observers, logits, signal }) {
      checkIds(ids, config.vocabularySize);
      checkRoom(ids.length, cache);
      const rows = rowsOf(logits, ids.length);
      const pass = (): DeviceTensor => {
        const at = { position: cache.position, angles: cache.angles };
        let x = gather(ids, (tokens) => embed(tokens, cache.position));
        layers.forEach((layer, index) => {
          const next = runner.scope(() => layer.forward(x, cache.layers[index], at, observers));
          x.dispose();
          x = next;
        });
        cache.position += ids.length;
        const gathered = (index: DeviceTensor) => runner.run('embedding_f32', { ids: index, table: x }).y;
        return head(rows.length === ids.length ? x : gather(rows, gathered));
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

/** Indices of the tokens whose logits are asked for. */
function rowsOf(logits: ForwardOptions['logits'], tokens: number): number[] {
  const count = logits === 'all' ? tokens : logits === 'last' ? 1 : logits;
  if (Number.isInteger(count) && count >= 1 && count <= tokens) {
    return Array.from({ length: count }, (_, row) => tokens - count + row);
  }
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'forward',
    expected: `logits of 1 to ${tokens} tokens`,
    received: String(count),
  });
}

function checkRoom(tokens: number, { position, capacity }: KvCache): void {
  if (tokens >= 1 && position + tokens <= capacity) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'forward',
    expected: `1 to ${capacity - position} tokens, the room left in the KV cache`,
    received: String(tokens),
  });
}
