import {
  attentionOf,
  bindTensors,
  cachedChannels,
  cachePrefixes,
  linearRows,
  parseModel,
  parseSpikingConfig,
  readSteps,
  spikingLinears,
  spikesInCache,
  weightFormat,
} from '@spikellm/graph';
import type { TensorIndex } from './describe.ts';

/** The salient channels of an input of a linear, or of cached keys or values. */
export interface SalientMask {
  readonly layer: number;
  /** Such as `self_attn.q_proj`, `self_attn.key_cache`. */
  readonly name: string;
  /** Channels in all. */
  readonly channels: number;
  /** Those with more than one step, rising. */
  readonly salient: readonly number[];
  /** Steps of each of them. */
  readonly steps: readonly number[];
}

/**
 * The salient channels of a checkpoint, layer by layer: of every linear, then of the cache where it spikes. Empty for a model
 * that does not spike. Errors: as `describeModel`.
 *
 * @param config - parsed config.json
 */
export async function salientMasks(
  config: Readonly<Record<string, unknown>>,
  tensors: TensorIndex,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SalientMask[]> {
  const model = parseModel(config);
  const spiking = parseSpikingConfig(config);
  if (spiking === undefined) return [];
  const bound = bindTensors(tensors, model, spiking);
  const masks: SalientMask[] = [];
  for (const layer of model.layers) {
    const read = async (prefix: string, channels: number): Promise<void> => {
      const all = await readSteps(bound, prefix, channels, signal);
      const salient = Array.from(all.keys()).filter((channel) => all[channel] > 1);
      const name = prefix.slice(layer.prefix.length);
      const steps = salient.map((channel) => all[channel]);
      masks.push({ layer: layer.index, name, channels, salient, steps });
    };
    for (const node of spikingLinears(layer)) {
      const rows = linearRows(layer.prefix, node);
      await weightFormat(spiking).describe(bound, rows, signal); // bears out how many channels there are
      await read(rows.prefix, rows.inputs);
    }
    if (!spikesInCache(spiking)) continue;
    const attention = attentionOf(layer);
    const { keys, values } = cachePrefixes(layer, attention.name);
    for (const prefix of [keys, values]) await read(prefix, cachedChannels(attention, spiking.kv.key));
  }
  return masks;
}
