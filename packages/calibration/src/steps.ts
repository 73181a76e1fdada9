import { SpikeError } from '@spikellm/backend';
import {
  attentionOf,
  cachedChannels,
  createRandom,
  FLOAT_BITS,
  inputSites,
  type AttentionNode,
  type KvSteps,
  type LayerGraph,
} from '@spikellm/graph';
import {
  allocateQuota,
  sumQueryGroups,
  sumScores,
  type ScoreMetric,
  type SiteChannels,
} from '@spikellm/saliency';
import type { LayerStatistics } from './observers.ts';
import {
  cacheSpikes,
  cacheSteps,
  hasSalience,
  metricOfSettings,
  type CommonSettings,
} from './settings/settings.ts';

/** Spike steps of every channel of one layer. */
export interface LayerSteps {
  /** By name of the linear, uint8 [C]; empty where activations stay in float. */
  readonly linears: ReadonlyMap<string, Uint8Array>;
  /** Present where the KV cache spikes. */
  readonly kv: KvSteps | undefined;
}

type Scores = ArrayLike<number>;

/** Chooses the steps of a layer. Statistics are needed where the metric needs them. */
export type StepChooser = (layer: LayerGraph, statistics: LayerStatistics | undefined) => LayerSteps;

/** The same number of steps for every channel of a layer. */
export function uniformSteps(layer: LayerGraph, settings: CommonSettings, steps: number): LayerSteps {
  const sites = settings.activationBits < FLOAT_BITS ? inputSites(layer) : [];
  const channels = cachedChannels(attentionOf(layer), settings.key);
  const cached = new Uint8Array(channels).fill(cacheSteps({ ...settings, steps }));
  return {
    linears: new Map(
      sites.flatMap(({ readers, channels: C }) =>
        readers.map(({ name }): [string, Uint8Array] => [name, new Uint8Array(C).fill(steps)]),
      ),
    ),
    kv: cacheSpikes(settings) ? { keys: cached, values: cached } : undefined,
  };
}

/** Steps under the quota of the settings, by the scores of their metric. */
export function createStepChooser(settings: CommonSettings): StepChooser {
  const metric = metricOfSettings(settings);
  if (!hasSalience(settings) || !('score' in metric)) return (layer) => uniformSteps(layer, settings, 1);
  const quota = (scores: Scores, steps: number): Uint8Array =>
    allocateQuota(scores, settings.salientFraction, steps);
  return (layer, statistics) => {
    const scores = scoresOf(metric, settings, layer, statistics);
    const linears = new Map<string, Uint8Array>();
    for (const { name: site, readers, channels } of inputSites(layer)) {
      const all = readers.map(({ name }) => scores.input(site, name, channels));
      for (const [i, { name }] of readers.entries())
        linears.set(name, quota(settings.mask === 'shared' ? sumScores(all) : all[i], settings.steps));
    }
    if (!cacheSpikes(settings)) return { linears, kv: undefined };
    const [keys, values] = [scores.cache('key'), scores.cache('value')];
    const steps = cacheSteps(settings);
    return { linears, kv: { keys: quota(keys, steps), values: quota(values, steps) } };
  };
}

/** The scores of one layer's sites. Errors: those of the metric, and SHAPE for scores that are not one a channel. */
function scoresOf(
  metric: ScoreMetric,
  { seed, key }: CommonSettings,
  layer: LayerGraph,
  statistics: LayerStatistics | undefined,
) {
  const attention = attentionOf(layer);
  const score = (known: Omit<SiteChannels, 'layer' | 'random'>, draw: string): Scores => {
    let random: (() => number) | undefined;
    const scores = metric.score({
      ...known,
      layer: layer.index,
      random: () => (random ??= randomOf(seed, layer.index, draw))(),
    });
    if (scores.length === known.channels) return scores;
    throw new SpikeError('SHAPE', {
      where: `${metric.name} saliency of ${known.site}`,
      expected: `${known.channels} scores, one of each channel`,
      received: String(scores.length),
    });
  };
  return {
    input: (site: string, linear: string, channels: number): Scores =>
      score(
        { site, channels, saliency: statistics?.channels[linear], absmax: statistics?.absmax[site] },
        linear,
      ),
    cache: (site: 'key' | 'value'): Scores =>
      score(
        {
          site,
          channels: cachedChannels(attention, key),
          saliency: statistics && grouped(statistics.kv[`${site}s`], attention, key),
        },
        site,
      ),
  };
}

/** Cached channels have the scores of all query heads that meet them; the published quantiser keeps those apart. */
const grouped = (scores: Scores, { heads, kvHeads }: AttentionNode, key: CommonSettings['key']): Scores =>
  key === 'whole' ? scores : sumQueryGroups(scores, heads, kvHeads);

/** Numbers of their own for each layer and place, so that no layer depends on those before it. */
function randomOf(seed: number, layer: number, place: string): () => number {
  let mixed = seed ^ Math.imul(layer + 1, 0x9e3779b1);
  for (const letter of place) mixed = Math.imul(mixed ^ letter.codePointAt(0)!, 0x01000193);
  const random = createRandom(mixed >>> 0);
  return () => random.real();
}
