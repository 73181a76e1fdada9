import type { Backend } from '@spikellm/backend';
import {
  layerLinears,
  type DecoderConfig,
  type DecoderLayer,
  type LinearGroup,
  type Taps,
} from '@spikellm/graph';
import { createAbsmaxProbe, createChannelProbe, createKvProbe, type KvScores } from '@spikellm/saliency';

/** What the float model's activations say about one layer. */
export interface LayerStatistics {
  /** Signed activation saliency per input channel, by name of the linear. */
  readonly channels: Readonly<Record<string, Float64Array>>;
  /** Largest |x| per channel, by group of linears. */
  readonly absmax: Readonly<Record<LinearGroup, Float64Array>>;
  readonly kv: KvScores;
}

/** Probes for everything that `LayerStatistics` holds, fed by the layer's taps. */
export function watchLayer(backend: Backend, config: DecoderConfig, index: number, layer: DecoderLayer) {
  const { heads: H, kvHeads: K, headSize: D } = config;
  const linears = layerLinears(config, index).map((entry) => ({
    entry,
    probe: createChannelProbe(backend, entry.inputs),
  }));
  const inputs = new Map(linears.map(({ entry }) => [entry.group, entry.inputs]));
  const absmax = new Map(
    [...inputs].map(([group, channels]) => [group, createAbsmaxProbe(backend, channels)]),
  );
  const kv = createKvProbe(backend, { H, K, D });
  const taps: Taps = {
    linearInput(_, group, x) {
      absmax.get(group)!.observe(x);
      for (const { entry, probe } of linears) {
        if (entry.group === group) probe.observe(x, layer.weights.get(entry.name)!);
      }
    },
    attention: (_, q, k, v) => kv.observe(q, k, v),
  };
  return {
    taps,
    async read(): Promise<LayerStatistics> {
      const channels: Record<string, Float64Array> = {};
      for (const { entry, probe } of linears) channels[entry.name] = await probe.read();
      const largest: Partial<Record<LinearGroup, Float64Array>> = {};
      for (const [group, probe] of absmax) largest[group] = await probe.read();
      return { channels, absmax: largest as LayerStatistics['absmax'], kv: await kv.read() };
    },
    [Symbol.dispose]() {
      for (const { probe } of linears) probe.dispose();
      for (const probe of absmax.values()) probe.dispose();
      kv.dispose();
    },
  };
}
