import { createSpikeRounding, type SpikeRounding } from '@spikellm/autograd';
import type { Runner } from '@spikellm/backend';
import { FLOAT_BITS, layerLinears, stepClasses, type DecoderConfig } from '@spikellm/graph';
import { KEY_BLOCK, spikesInCache, type QuantizeSettings } from './settings.ts';
import type { LayerSteps } from './steps.ts';

export interface RoundingOptions {
  readonly config: DecoderConfig;
  readonly settings: QuantizeSettings;
  readonly steps: LayerSteps;
  /** Tokens of a window. */
  readonly length: number;
}

/**
 * What spikes carry of the tensors of a layer [length, channels], where the settings have spikes: of the input of each
 * linear, by its name, and of `query`, `key` and `value` in attention. Prepared once for places that are rounded alike.
 */
export function prepareRoundings(
  runner: Runner,
  { config, steps, settings, length }: RoundingOptions,
): ReadonlyMap<string, SpikeRounding> {
  const { heads: H, headSize: D } = config;
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
    for (const { name, inputs } of layerLinears(config, 0)) {
      roundings.set(name, rounding(steps.linears.get(name)!, { H: 1, D: inputs, block: 1 }));
    }
  }
  if (!spikesInCache(settings)) return roundings;
  const K = settings.key === 'published' ? H : config.kvHeads;
  const { keys, values } = steps.kv!;
  const keyGroups = {
    block: { H: K * D, D: 1, block: KEY_BLOCK },
    published: { H: K * D, D: 1, block: length },
    token: { H: K, D, block: 1 },
    float: undefined,
  }[settings.key]!;
  return roundings
    .set('query', rounding(new Uint8Array(H * D).fill(1), { H, D, block: 1 }))
    .set('key', rounding(keys, keyGroups))
    .set('value', rounding(values, { H: K, D, block: 1 }));
}
