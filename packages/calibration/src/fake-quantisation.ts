import { createSpikeRounding, type SpikeRounding } from '@spikellm/autograd';
import type { Runner } from '@spikellm/backend';
import { attentionOf, FLOAT_BITS, inputSites, stepClasses, type LayerGraph } from '@spikellm/graph';
import { cacheSpikes, KEY_BLOCK, type CommonSettings } from './settings/settings.ts';
import type { LayerSteps } from './steps.ts';

export interface FakeQuantisationOptions {
  readonly layer: LayerGraph;
  readonly settings: CommonSettings;
  readonly steps: LayerSteps;
  /** Tokens of a window. */
  readonly length: number;
}

/**
 * What spikes carry of the tensors of a layer [length, channels], where the settings have spikes: of the input of each
 * linear, by its name, and of `query`, `key` and `value` in attention. Prepared once for places that are rounded alike.
 */
export function prepareFakeQuantisation(
  runner: Runner,
  { layer, steps, settings, length }: FakeQuantisationOptions,
): ReadonlyMap<string, SpikeRounding> {
  const { heads: H, kvHeads, headSize: D } = attentionOf(layer);
  const { activationBits: bits, range } = settings;
  const made = new Map<string, SpikeRounding>();
  const rounding = (of: Uint8Array, groups: { H: number; D: number; block: number }): SpikeRounding => {
    const key = [of, ...Object.values(groups)].join();
    const known = made.get(key);
    if (known) return known;
    const fresh = createSpikeRounding(runner, { bits, range, classes: stepClasses(of), ...groups }, of);
    made.set(key, fresh);
    return fresh;
  };
  const roundings = new Map<string, SpikeRounding>();
  if (bits < FLOAT_BITS) {
    for (const { readers, channels } of inputSites(layer)) {
      for (const { name } of readers)
        roundings.set(name, rounding(steps.linears.get(name)!, { H: 1, D: channels, block: 1 }));
    }
  }
  if (!cacheSpikes(settings)) return roundings;
  const K = settings.key === 'whole' ? H : kvHeads;
  const { keys, values } = steps.kv!;
  const keyGroups = {
    block: { H: K * D, D: 1, block: KEY_BLOCK },
    whole: { H: K * D, D: 1, block: length },
    token: { H: K, D, block: 1 },
    float: undefined,
  }[settings.key]!;
  return roundings
    .set('query', rounding(new Uint8Array(H * D).fill(1), { H, D, block: 1 }))
    .set('key', rounding(keys, keyGroups))
    .set('value', rounding(values, { H: K, D, block: 1 }));
}
