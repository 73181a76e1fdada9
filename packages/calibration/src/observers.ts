import type { Backend } from '@spikellm/backend';
import {
  layerLinears,
  type DecoderConfig,
  type DecoderLayer,
  type LinearGroup,
  type Taps,
} from '@spikellm/graph';
import { createAbsmaxProbe, createChannelProbe, createKvProbe, type KvScores } from '@spikellm/saliency';

/** How large the float model's activations are in one layer. */
export interface LayerSizes {
  /** Largest |x| per channel, by group of linears. */
  readonly absmax: Readonly<Record<LinearGroup, Float64Array>>;
}

/** What the float model's activations say about one layer. */
export interface LayerStatistics extends LayerSizes {
  /** Signed activation saliency per input channel, by name of the linear. */
  readonly channels: Readonly<Record<string, Float64Array>>;
  readonly kv: KvScores;
}

/** Probes that the taps of a layer feed. */
export interface Watch<Seen> extends Disposable {
  readonly taps: Taps;
  /** Called when a window has passed and its work is done. */
  endWindow?(window: number): Promise<void>;
  read(): Promise<Seen>;
}

export type Watcher<Seen> = (
  backend: Backend,
  config: DecoderConfig,
  index: number,
  layer: DecoderLayer,
) => Watch<Seen>;

export const watchSizes: Watcher<LayerSizes> = (backend, config, index) => {
  const inputs = new Map(layerLinears(config, index).map(({ group, inputs: channels }) => [group, channels]));
  const probes = new Map(
    [...inputs].map(([group, channels]) => [group, createAbsmaxProbe(backend, channels)]),
  );
  return {
    taps: { linearInput: (_, group, x) => probes.get(group)!.observe(x) },
    async read() {
      const absmax: Partial<Record<LinearGroup, Float64Array>> = {};
      for (const [group, probe] of probes) absmax[group] = await probe.read();
      return { absmax: absmax as LayerSizes['absmax'] };
    },
    [Symbol.dispose]() {
      for (const probe of probes.values()) probe.dispose();
    },
  };
};

export const watchLayer: Watcher<LayerStatistics> = (backend, config, index, layer) => {
  const { heads: H, kvHeads: K, headSize: D } = config;
  const sizes = watchSizes(backend, config, index, layer);
  const linears = layerLinears(config, index).map((entry) => ({
    entry,
    probe: createChannelProbe(backend, entry.inputs),
  }));
  const kv = createKvProbe(backend, { H, K, D });
  return {
    taps: {
      linearInput(at, group, x) {
        sizes.taps.linearInput!(at, group, x);
        for (const { entry, probe } of linears) {
          if (entry.group === group) probe.observe(x, layer.weights.get(entry.name)!);
        }
      },
      attention: (_, q, k, v) => kv.observe(q, k, v),
    },
    async read() {
      const channels: Record<string, Float64Array> = {};
      for (const { entry, probe } of linears) channels[entry.name] = await probe.read();
      return { ...(await sizes.read()), channels, kv: await kv.read() };
    },
    [Symbol.dispose]() {
      sizes[Symbol.dispose]();
      for (const { probe } of linears) probe.dispose();
      kv.dispose();
    },
  };
};
