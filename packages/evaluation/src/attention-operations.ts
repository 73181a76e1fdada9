import {
  attentionOf,
  FLOAT_BITS,
  spikesInCache,
  type AttentionNode,
  type LayerGraph,
  type SpikingConfig,
} from '@spikellm/graph';
import { sum } from './sum.ts';

/** q k^T and P v of all layers for a token, as a mean over a window that begins without context. */
export interface AttentionOperations {
  readonly macs: number;
  /**
   * Arithmetic computation effort: b_q b_k T_k for a query and a cached key, 16 b_v T_v for a probability and a cached value,
   * with 16 bits for what is float: probabilities, a cache in float, the keys of an open block.
   */
  readonly ace: number;
  /** Fraction of the keys that queries read which are float; 1 where the cache is float. */
  readonly floatKeyShare: number;
}

/** Spike steps of the cached channels of one layer. */
export interface CacheSteps {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** Keys that the queries of a window of `tokens` tokens read, and those of them whose block is open. */
export function keyReads(
  { window }: Pick<AttentionNode, 'window'>,
  tokens: number,
  block: number,
): { readonly all: number; readonly open: number } {
  let all = 0;
  let open = 0;
  for (let t = 0; t < tokens; t++) {
    const seen = window === 0 ? t + 1 : Math.min(t + 1, window);
    all += seen;
    open += Math.min(seen, (t % block) + 1); // a block closes after its last token has attended
  }
  return { all, open };
}

/** Fraction of the keys read in a window that are float. @param tokens - of the window */
export function floatKeyShare(
  layers: readonly LayerGraph[],
  spiking: SpikingConfig | undefined,
  tokens: number,
): number {
  if (!spikesInCache(spiking)) return 1;
  if (spiking.kv.key !== 'block') return 0;
  const reads = layers.map((layer) => keyReads(attentionOf(layer), tokens, spiking.kv.block));
  return sum(reads, ({ open }) => open) / sum(reads, ({ all }) => all);
}

/**
 * Counts attention in a window.
 *
 * @param steps - of every layer; undefined where the cache is float
 * @param tokens - of the window
 */
export function attentionOperations(
  layers: readonly LayerGraph[],
  spiking: SpikingConfig | undefined,
  steps: readonly CacheSteps[] | undefined,
  tokens: number,
): AttentionOperations {
  const bits = spiking === undefined || steps === undefined ? FLOAT_BITS : spiking.kv.bits;
  const block = steps !== undefined && spiking?.kv.key === 'block' ? spiking.kv.block : undefined;
  const counts = layers.map((layer, index) => {
    const node = attentionOf(layer);
    const { all, open } = keyReads(node, tokens, block ?? tokens);
    const float = block === undefined ? 0 : open;
    const width = (node.heads * node.headSize) / tokens;
    const keySteps = steps === undefined ? 1 : mean(steps[index].keys);
    const valueSteps = steps === undefined ? 1 : mean(steps[index].values);
    const scores = bits * ((all - float) * bits * keySteps + float * FLOAT_BITS);
    const values = FLOAT_BITS * all * bits * valueSteps;
    return { macs: 2 * width * all, ace: width * (scores + values) };
  });
  return {
    macs: sum(counts, ({ macs }) => macs),
    ace: sum(counts, ({ ace }) => ace),
    floatKeyShare: floatKeyShare(layers, spiking, tokens),
  };
}

const mean = (steps: Uint8Array): number => sum(steps, (T) => T) / steps.length;
