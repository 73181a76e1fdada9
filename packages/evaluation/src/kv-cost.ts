import { codeType, sizeOf } from '@spikellm/backend';
import {
  attentionOf,
  cachedChannels,
  cachePrefixes,
  readSteps,
  spikesInCache,
  stepClasses,
  type AttentionNode,
  type KeyQuantiser,
  type LayerGraph,
  type ModelGraph,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { FLOAT32_BITS, THRESHOLD_BITS } from './activation-bits.ts';
import { floatKeyShare, type CacheSteps } from './attention-operations.ts';
import { sum } from './sum.ts';

/** What cached keys and values cost. */
export interface KvReport {
  readonly key: KeyQuantiser;
  readonly salientChannels: number;
  /** Mean steps of a cached channel; null where the cache is float. */
  readonly averageSteps: number | null;
  /** n + mean log2 T: bits of the code of a value; 32 where the cache is float. */
  readonly informationBits: number;
  /**
   * Bits of device memory for each value at full context: codes in whole bytes, scales, zero points and the open block
   * counted. Null for the key quantiser `whole`, which keeps no cache.
   */
  readonly storedBits: number | null;
  /** Tokens of the window over which reads are counted. */
  readonly window: number;
  /** Fraction of the keys that the queries of that window read which are float: those of the open block, or all. */
  readonly floatKeyShare: number;
  /** Float bits of a key or value that they read, as a mean: 32 for those in float, none for those in spikes. */
  readonly floatResidueBits: number;
}

export async function describeKv(
  { layers: graphs, config: { contextLength } }: ModelGraph,
  spiking: SpikingConfig | undefined,
  tensors: TensorSource,
  { tokens, signal }: { readonly tokens: number; readonly signal?: AbortSignal | undefined },
): Promise<KvReport> {
  const share = floatKeyShare(graphs, spiking, tokens);
  const steps = await cacheSteps(graphs, spiking, tensors, signal);
  if (!spikesInCache(spiking) || steps === undefined) {
    return {
      key: 'float',
      salientChannels: 0,
      averageSteps: null,
      informationBits: FLOAT32_BITS,
      storedBits: FLOAT32_BITS,
      window: tokens,
      floatKeyShare: share,
      floatResidueBits: FLOAT32_BITS,
    };
  }
  const { key, bits } = spiking.kv;
  const all = steps.flatMap(({ keys, values }) => [...keys, ...values]);
  const mean = (of: (T: number) => number): number => sum(all, of) / all.length;
  const stored = steps.map(({ keys, values }, index) =>
    storedBits(attentionOf(graphs[index]), contextLength, spiking, stepClasses(keys, values)),
  );
  return {
    key,
    salientChannels: all.filter((T) => T > 1).length,
    averageSteps: mean((T) => T),
    informationBits: bits + mean(Math.log2),
    storedBits: key === 'whole' ? null : sum(stored, (each) => each) / stored.length,
    window: tokens,
    floatKeyShare: share,
    floatResidueBits: (FLOAT32_BITS * share) / 2,
  };
}

/** Steps of the cached channels of every layer; undefined where the cache is float. */
export async function cacheSteps(
  layers: readonly LayerGraph[],
  spiking: SpikingConfig | undefined,
  tensors: TensorSource,
  signal?: AbortSignal,
): Promise<CacheSteps[] | undefined> {
  if (!spikesInCache(spiking)) return undefined;
  const steps: CacheSteps[] = [];
  for (const layer of layers) {
    const attention = attentionOf(layer);
    const channels = cachedChannels(attention, spiking.kv.key);
    const { keys, values } = cachePrefixes(layer, attention.name);
    steps.push({
      keys: await readSteps(tensors, keys, channels, signal),
      values: await readSteps(tensors, values, channels, signal),
    });
  }
  return steps;
}

/** Bits of memory for each of the 2 P K D values that one layer's cache of P positions holds. */
function storedBits(
  { kvHeads: K, headSize: D }: AttentionNode,
  P: number,
  { kv: { key, bits, block }, activations: { range } }: SpikingConfig,
  classes: readonly number[],
): number {
  const codes = 2 * sizeOf([P, K * D]) * (codeType({ bits, range, classes }) === 'uint8' ? 8 : 16);
  const perToken = sizeOf([P, K * classes.length]) * THRESHOLD_BITS;
  const keys =
    key === 'token'
      ? perToken
      : sizeOf([Math.ceil(P / block), K * D]) * THRESHOLD_BITS + sizeOf([block, K * D]) * FLOAT32_BITS;
  return (codes + keys + perToken) / (2 * P * K * D);
}
