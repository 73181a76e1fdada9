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

/** Chooses the steps of one layer after the other, in order: random scores are drawn as it goes. */
export type StepChooser = (layer: number, statistics: LayerStatistics | undefined) => LayerSteps;

/** The same number of steps for every channel of a layer. */
export function uniformSteps(config: DecoderConfig, settings: QuantizeSettings, steps: number): LayerSteps {
  const entries = settings.activationBits < FLOAT_BITS ? layerLinears(config, 0) : [];
  const cached = new Uint8Array(cachedChannels(config, settings)).fill(cacheSteps({ ...settings, steps }));
  return {
    linears: new Map(entries.map(({ name, inputs }) => [name, new Uint8Array(inputs).fill(steps)])),
    kv: spikesInCache(settings) ? { keys: cached, values: cached } : undefined,
  };
}

/** Channels that have steps of their own in the key cache, and as many in the value cache. */
export const cachedChannels = (
  { heads, kvHeads, headSize }: DecoderConfig,
  { key }: QuantizeSettings,
): number => (key === 'published' ? heads : kvHeads) * headSize;

/** Steps under the quota of the settings. Statistics are needed for published scores only. */
export function createStepChooser(config: DecoderConfig, settings: QuantizeSettings): StepChooser {
  const scoresOf = scoreSource(config, settings);
  const cached = cachedChannels(config, settings);
  const quota = (values: Scores, steps: number): Uint8Array => allocateQuota(values, settings.salient, steps);
  return (_, statistics) => {
    const scores = scoresOf?.(statistics);
    const linears = new Map<string, Uint8Array>();
    const entries = settings.activationBits < FLOAT_BITS ? layerLinears(config, 0) : [];
    for (const group of new Set(entries.map((entry) => entry.group))) {
      const members = entries.filter((entry) => entry.group === group);
      const all = members.map(({ name, inputs }) => scores?.linear(name, inputs));
      for (const [i, { name, inputs }] of members.entries()) {
        const mine = settings.mask === 'shared' && scores ? sumScores(all as Scores[]) : all[i];
        linears.set(name, mine ? quota(mine, settings.steps) : new Uint8Array(inputs).fill(1));
      }
    }
    const kvScores = scores?.kv();
    const kv = spikesInCache(settings)
      ? {
          keys: kvScores ? quota(kvScores.keys, cacheSteps(settings)) : new Uint8Array(cached).fill(1),
          values: kvScores ? quota(kvScores.values, cacheSteps(settings)) : new Uint8Array(cached).fill(1),
        }
      : undefined;
    return { linears, kv };
  };
}

interface ScoreSource {
  linear(name: string, channels: number): Scores;
  kv(): { readonly keys: Scores; readonly values: Scores };
}

function scoreSource(
  config: DecoderConfig,
  settings: QuantizeSettings,
): ((statistics: LayerStatistics | undefined) => ScoreSource) | undefined {
  if (!hasSalience(settings)) return undefined;
  if (settings.saliency === 'random') {
    const random = createRandom(settings.seed);
    const real = (): number => random.real();
    const draw = () => randomScores(cachedChannels(config, settings), real);
    return () => ({
      linear: (_, channels) => randomScores(channels, real),
      kv: () => ({ keys: draw(), values: draw() }),
    });
  }
  const grouped = (scores: Scores): Scores =>
    settings.key === 'published' ? scores : sumQueryGroups(scores, config.heads, config.kvHeads);
  return (statistics) => {
    if (statistics === undefined) throw new Error('internal: saliency without statistics');
    const { channels, kv } = statistics;
    return {
      linear: (name) => channels[name],
      kv: () => ({ keys: grouped(kv.keys), values: grouped(kv.values) }),
    };
  };
}
