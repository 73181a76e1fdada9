/** Where spike steps can be spent in one layer, and what a step costs there. */
import { FLOAT_BITS, layerLinears, type DecoderConfig } from '@spikellm/graph';
import { salientCount } from '@spikellm/saliency';
import { cacheSteps, spikesInCache, type QuantizeSettings } from '../settings.ts';
import { cachedChannels, type LayerSteps } from '../steps.ts';

/** Channels that are carried by one encoding. */
export interface Place {
  /** `key`, `value`, the group of linears that share an input, or the linear where each has its own encoding. */
  readonly name: string;
  /** The linears that read it; none for the cache. */
  readonly linears: readonly string[];
  readonly channels: number;
  /** Multiply-adds per token that one more step of one channel costs. */
  readonly cost: number;
}

/**
 * The places of a layer, the same in every layer. A channel of a linear's input meets every output: it costs O, the
 * sum over the linears that read it. A cached channel meets every query head that reads it at every position, for
 * keys in q . k and for values in P v: H / K heads (1 where each query head has its own encoding) times
 * (length + 1) / 2, the average number of positions that a token of a window sees.
 */
export function layerPlaces(config: DecoderConfig, settings: QuantizeSettings, length: number): Place[] {
  const places = new Map<string, Place>();
  const entries = settings.activationBits < FLOAT_BITS ? layerLinears(config, 0) : [];
  for (const { name: linear, group, inputs, outputs } of entries) {
    const name = settings.mask === 'shared' ? group : linear;
    const { linears = [], cost = 0 } = places.get(name) ?? {};
    places.set(name, { name, linears: [...linears, linear], channels: inputs, cost: cost + outputs });
  }
  if (!spikesInCache(settings)) return [...places.values()];
  const channels = cachedChannels(config, settings);
  const cost = (((config.heads * config.headSize) / channels) * (length + 1)) / 2;
  return [...places.values(), ...['key', 'value'].map((name) => ({ name, linears: [], channels, cost }))];
}

const isCached = ({ linears }: Place): boolean => linears.length === 0;

/** What the quota rule spends with these settings: extra multiply-adds per token over one step everywhere. */
export function quotaOperations(config: DecoderConfig, settings: QuantizeSettings, length: number): number {
  let operations = 0;
  for (const place of layerPlaces(config, settings, length)) {
    const steps = isCached(place) ? cacheSteps(settings) : settings.steps;
    operations += salientCount(place.channels, settings.salient) * (steps - 1) * place.cost;
  }
  return config.layers * operations;
}

/** The steps of a layer from those of its places, in their order. */
export function stepsOfPlaces(places: readonly Place[], steps: readonly Uint8Array[]): LayerSteps {
  const at = new Map(places.map((place, i) => [place.name, steps[i]]));
  const [keys, values] = [at.get('key'), at.get('value')];
  return {
    linears: new Map(places.flatMap(({ linears }, i) => linears.map((linear) => [linear, steps[i]]))),
    kv: keys && values ? { keys, values } : undefined,
  };
}
