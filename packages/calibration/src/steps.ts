import { createRandom, FLOAT_BITS, layerLinears, type DecoderConfig, type KvSteps } from '@spikellm/graph';
import { allocateQuota, randomScores, sumQueryGroups, sumScores } from '@spikellm/saliency';
import { cacheSteps, hasSalience, spikesInCache, type QuantizeSettings } from './settings.ts';
import type { LayerStatistics } from './watch.ts';

/** Spike steps of every channel of one layer. */
export interface LayerSteps {
  /** By name of the linear, uint8 [C]; empty where activations stay in float. */
  readonly linears: ReadonlyMap<string, Uint8Array>;
  /** Present where the KV cache spikes. */
  readonly kv: KvSteps | undefined;
}

type Scores = ArrayLike<number>;

/**
 * Chooses the steps of all layers under the quota of the settings.
 *
 * @param statistics - one per layer; not needed for one step or for random scores
 */
export function chooseSteps(
  config: DecoderConfig,
  settings: QuantizeSettings,
  statistics: readonly LayerStatistics[] | undefined,
): LayerSteps[] {
  const scores = scoreSource(config, settings, statistics);
  const cached = (settings.key === 'published' ? config.heads : config.kvHeads) * config.headSize;
  const quota = (values: Scores, steps: number): Uint8Array => allocateQuota(values, settings.salient, steps);
  return Array.from({ length: config.layers }, (_, index) => {
    const linears = new Map<string, Uint8Array>();
    const entries = settings.activationBits < FLOAT_BITS ? layerLinears(config, index) : [];
    for (const group of new Set(entries.map((entry) => entry.group))) {
      const members = entries.filter((entry) => entry.group === group);
      const all = members.map(({ name, inputs }) => scores?.linear(index, name, inputs));
      for (const [i, { name, inputs }] of members.entries()) {
        const mine = settings.mask === 'shared' && scores ? sumScores(all as Scores[]) : all[i];
        linears.set(name, mine ? quota(mine, settings.steps) : new Uint8Array(inputs).fill(1));
      }
    }
    const kvScores = scores?.kv(index);
    const kv = spikesInCache(settings)
      ? {
          keys: kvScores ? quota(kvScores.keys, cacheSteps(settings)) : new Uint8Array(cached).fill(1),
          values: kvScores ? quota(kvScores.values, cacheSteps(settings)) : new Uint8Array(cached).fill(1),
        }
      : undefined;
    return { linears, kv };
  });
}

interface ScoreSource {
  linear(layer: number, name: string, channels: number): Scores;
  kv(layer: number): { readonly keys: Scores; readonly values: Scores };
}

function scoreSource(
  config: DecoderConfig,
  settings: QuantizeSettings,
  statistics: readonly LayerStatistics[] | undefined,
): ScoreSource | undefined {
  if (!hasSalience(settings)) return undefined;
  const { heads, kvHeads, headSize } = config;
  const perQueryHead = settings.key === 'published';
  if (settings.saliency === 'random') {
    const random = createRandom(settings.seed);
    const real = (): number => random.real();
    const draw = () => randomScores((perQueryHead ? heads : kvHeads) * headSize, real);
    return {
      linear: (_, __, channels) => randomScores(channels, real),
      kv: () => ({ keys: draw(), values: draw() }),
    };
  }
  if (statistics === undefined) throw new Error('internal: saliency without statistics');
  const grouped = (scores: Scores): Scores =>
    perQueryHead ? scores : sumQueryGroups(scores, heads, kvHeads);
  return {
    linear: (layer, name) => statistics[layer].channels[name],
    kv: (layer) => {
      const { keys, values } = statistics[layer].kv;
      return { keys: grouped(keys), values: grouped(values) };
    },
  };
}
