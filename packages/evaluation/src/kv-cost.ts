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
  type ModelGraph,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';

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
   * counted. Null for the published key quantiser, which keeps no cache.
   */
  readonly storedBits: number | null;
}

const FLOAT32_BITS = 32;
/** A float32 scale and an int32 zero point. */
const THRESHOLD_BITS = 64;

export async function describeKv(
  { layers: graphs, config: { contextLength } }: ModelGraph,
  spiking: SpikingConfig | undefined,
  tensors: TensorSource,
  signal?: AbortSignal,
): Promise<KvReport> {
  if (!spikesInCache(spiking)) {
    return {
      key: 'float',
      salientChannels: 0,
      averageSteps: null,
      informationBits: FLOAT32_BITS,
      storedBits: FLOAT32_BITS,
    };
  }
  const { key, bits } = spiking.kv;
  const layers: Uint8Array[][] = [];
  for (const layer of graphs) {
    const attention = attentionOf(layer);
    const channels = cachedChannels(attention, key);
    const { keys, values } = cachePrefixes(layer, attention.name);
    layers.push([
      await readSteps(tensors, keys, channels, signal),
      await readSteps(tensors, values, channels, signal),
    ]);
  }
  const steps = layers.flat().flatMap((each) => [...each]);
  const mean = (of: (T: number) => number): number => steps.reduce((sum, T) => sum + of(T), 0) / steps.length;
  const stored = layers.map((pair, index) =>
    storedBits(attentionOf(graphs[index]), contextLength, spiking, stepClasses(...pair)),
  );
  return {
    key,
    salientChannels: steps.filter((T) => T > 1).length,
    averageSteps: mean((T) => T),
    informationBits: bits + mean(Math.log2),
    storedBits: key === 'whole' ? null : stored.reduce((sum, each) => sum + each, 0) / layers.length,
  };
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
