/** Where spike steps can be spent in one layer, and what a step costs there. */
import {
  attentionOf,
  cachedChannels,
  cacheSites,
  FLOAT_BITS,
  inputSites,
  type LayerGraph,
  type ModelGraph,
} from '@spikellm/graph';
import { salientCount } from '@spikellm/saliency';
import { cacheSpikes, cacheSteps, type CommonSettings } from '../settings/settings.ts';
import type { LayerSteps } from '../steps.ts';

/** Channels that are carried by one encoding. */
export interface StepSite {
  /** `key`, `value`, the input site, or the linear where each has its own encoding. */
  readonly name: string;
  /** The linears that read it; none for the cache. */
  readonly linears: readonly string[];
  readonly channels: number;
  /** Multiply-adds per token that one more step of one channel costs. */
  readonly cost: number;
}

/**
 * The sites of a layer. A channel of a linear's input meets every output: it costs O, the sum over the linears that read it.
 * A cached channel meets every query head that reads it at every position, for keys in q . k and for values in P v: H / K
 * heads (1 where each query head has its own encoding) times (length + 1) / 2, the average number of positions that a token
 * of a window sees.
 */
export function stepSites(layer: LayerGraph, settings: CommonSettings, length: number): StepSite[] {
  const sites = settings.activationBits < FLOAT_BITS ? inputSites(layer) : [];
  const inputs = sites.flatMap(({ name, channels, readers }): StepSite[] => {
    const shared = settings.mask === 'shared' ? [readers] : readers.map((reader) => [reader]);
    return shared.map((own) => ({
      name: settings.mask === 'shared' ? name : own[0].name,
      linears: own.map((reader) => reader.name),
      channels,
      cost: own.reduce((sum, { output }) => sum + output.width, 0),
    }));
  });
  if (!cacheSpikes(settings)) return inputs;
  const attention = attentionOf(layer);
  const channels = cachedChannels(attention, settings.key);
  const cost = (((attention.heads * attention.headSize) / channels) * (length + 1)) / 2;
  return [...inputs, ...cacheSites(layer).map(({ name }) => ({ name, linears: [], channels, cost }))];
}

const isCached = ({ linears }: StepSite): boolean => linears.length === 0;

/** What the quota rule spends with these settings: extra multiply-adds per token over one step everywhere. */
export function quotaOperations({ layers }: ModelGraph, settings: CommonSettings, length: number): number {
  let operations = 0;
  for (const layer of layers) {
    for (const site of stepSites(layer, settings, length)) {
      const steps = isCached(site) ? cacheSteps(settings) : settings.steps;
      operations += salientCount(site.channels, settings.salientFraction) * (steps - 1) * site.cost;
    }
  }
  return operations;
}

/** The steps of a layer from those of its sites, in their order. */
export function stepsOfSites(sites: readonly StepSite[], steps: readonly Uint8Array[]): LayerSteps {
  const at = new Map(sites.map((site, i) => [site.name, steps[i]]));
  const [keys, values] = [at.get('key'), at.get('value')];
  return {
    linears: new Map(sites.flatMap(({ linears }, i) => linears.map((linear) => [linear, steps[i]]))),
    kv: keys && values ? { keys, values } : undefined,
  };
}
