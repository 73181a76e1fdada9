/** What is gathered of the activations of a float layer while windows pass through it. */
import type { Backend } from '@spikellm/backend';
import {
  attentionAttributes,
  attentionOf,
  inputSites,
  type DecoderLayer,
  type LayerGraph,
  type Observers,
} from '@spikellm/graph';
import { createAbsmaxProbe, createChannelProbe, createKvProbe, type KvScores } from '@spikellm/saliency';

/** How large the float model's activations are in one layer. */
export interface LayerSizes {
  /** Largest |x| per channel, by name of the input site. */
  readonly absmax: Readonly<Record<string, Float64Array>>;
}

/** What the float model's activations say about one layer. */
export interface LayerStatistics extends LayerSizes {
  /** Signed activation saliency per input channel, by name of the linear. */
  readonly channels: Readonly<Record<string, Float64Array>>;
  readonly kv: KvScores;
}

/** Gathers while windows pass. */
export interface LayerObserver<Seen> extends Disposable {
  readonly observers: Observers;
  /** Called when a window has passed and its work is done. */
  endWindow?(window: number): Promise<void>;
  read(): Promise<Seen>;
}

/** Makes an observer of a layer that is ready to run. */
export type Observe<Seen> = (
  backend: Backend,
  graph: LayerGraph,
  layer: Pick<DecoderLayer, 'weights'>,
) => LayerObserver<Seen>;

export const observeSizes: Observe<LayerSizes> = (backend, graph) => {
  const probes = new Map(
    inputSites(graph).map(({ name, channels }) => [name, createAbsmaxProbe(backend, channels)]),
  );
  return {
    observers: { input: (_, site, x) => probes.get(site)!.observe(x) },
    async read() {
      const absmax: Record<string, Float64Array> = {};
      for (const [site, probe] of probes) absmax[site] = await probe.read();
      return { absmax };
    },
    [Symbol.dispose]() {
      for (const probe of probes.values()) probe.dispose();
    },
  };
};

export const observeLayer: Observe<LayerStatistics> = (backend, graph, layer) => {
  const sizes = observeSizes(backend, graph, layer);
  const linears = inputSites(graph).flatMap(({ name: site, channels, readers }) =>
    readers.map(({ name }) => ({ site, name, probe: createChannelProbe(backend, channels) })),
  );
  const kv = createKvProbe(backend, attentionAttributes(attentionOf(graph)));
  return {
    observers: {
      input(at, site, x) {
        sizes.observers.input!(at, site, x);
        for (const { site: own, name, probe } of linears) {
          if (own === site) probe.observe(x, layer.weights.get(name)!);
        }
      },
      attention: (_, q, k, v) => kv.observe(q, k, v),
    },
    async read() {
      const channels: Record<string, Float64Array> = {};
      for (const { name, probe } of linears) channels[name] = await probe.read();
      return { ...(await sizes.read()), channels, kv: await kv.read() };
    },
    [Symbol.dispose]() {
      sizes[Symbol.dispose]();
      for (const { probe } of linears) probe.dispose();
      kv.dispose();
    },
  };
};
