/** What room Calibrate shows, and what its buttons do. */
import { computed, effect, signal } from '@preact/signals';
import { hasSalience, pipelineOf } from '@spikellm/calibration';
import { weightFormat } from '@spikellm/graph';
import { metricOf } from '@spikellm/saliency';
import type { SaliencyMap, SaliencyRow } from '../../engine/calibrate.ts';
import type { ChannelRequest, ChannelView } from '../../engine/channel.ts';
import {
  ask,
  backend,
  ensureSpiking,
  isStopped,
  model,
  ready,
  sentenceOf,
  spiking,
} from '../../engine/client.ts';
import type { Measured, Measurement } from '../../engine/measured.ts';
import { roundToNearest } from '../../engine/round-to-nearest.ts';
import { chosen, request, type SpikingRequest } from '../../engine/settings.ts';
import { flag, oneOf, urlSignal, type Codec } from '../../url-state.ts';
import { titleOf } from '../../engine/titles.ts';

/** A channel of an input. */
export interface Selection {
  readonly layer: number;
  readonly group: string;
  readonly channel: number;
}

const selection: Codec<Selection | undefined> = {
  format: (value) => (value === undefined ? '' : `${value.layer}.${value.group}.${value.channel}`),
  parse(text) {
    const [layer, group, channel] = text.split('.');
    return /^\d+\.\w+\.\d+$/.test(text)
      ? { layer: Number(layer), group, channel: Number(channel) }
      : undefined;
  },
};

/** The channel that is looked at. */
export const selected = urlSignal('calibrate', 'channel', undefined, selection);
/** Whether the channels of each input stand by falling saliency. */
export const sorted = urlSignal('calibrate', 'sorted', false, flag);
export const SCALES = ['log', 'linear'] as const;
export const scale = urlSignal<(typeof SCALES)[number]>('calibrate', 'scale', 'log', oneOf(...SCALES));

/** The text in the box; undefined until the bundled one has come. */
export const text = signal<string | undefined>(undefined);
export const bundledText = signal<string | undefined>(undefined);

/** Perplexities, and what they were measured with. */
export interface Results {
  readonly title: string;
  readonly rounded: string;
  readonly text: 'bundled' | 'own';
  /** For comparison with what is chosen now. */
  readonly of: string;
  /** Seconds that making the spiking model took; null for a checkpoint that was opened. */
  readonly madeIn?: number | null;
  readonly rows: Partial<Record<Measured, Measurement>>;
}
export const results = signal<Results | undefined>(undefined);
export const map = signal<SaliencyMap | undefined>(undefined);
export const view = signal<ChannelView | undefined>(undefined);
/** Why the last work did not end well. */
export const problem = signal<string | undefined>(undefined);
export const wasStopped = signal(false);

/** Work that was tried already does not begin again by itself. */
const tried = new Set<string>();

// What was seen of a model ends with it.
effect(() => {
  void model.value;
  map.value = undefined;
  results.value = undefined;
  view.value = undefined;
  tried.clear();
});

/** Does work, and keeps how it ended. */
export async function attempt(what: string, work: Parameters<typeof ask<void>>[1]): Promise<void> {
  problem.value = undefined;
  wasStopped.value = false;
  try {
    await ask(what, work);
  } catch (error) {
    if (isStopped(error)) wasStopped.value = true;
    else problem.value = sentenceOf(error);
  }
}

/** What the open backend cannot do of the settings, as one sentence. */
export const unable = computed(() => {
  if (backend.value?.variant !== 'webgpu') return undefined;
  const { settings } = request.value;
  const { title, work } = pipelineOf(settings);
  const { name, needs } = metricOf(chosen.saliency.value);
  const gradients = hasSalience(settings) && needs === 'gradients';
  const wanted = [
    // What counts work of its own on a layer does more than run and round it.
    ...(work === undefined ? [] : [work.phase === 'train' ? `${title}, which trains` : title]),
    ...(gradients ? [`${name} saliency, which needs gradients`] : []),
    ...(settings.rotate === 'none' ? [] : ['rotation']),
  ];
  if (wanted.length === 0) return undefined;
  return `The WebGPU backend has no kernels for ${wanted.join(' and for ')}.`;
});

const statisticsRequest = ({ settings, samples }: SpikingRequest) => ({
  rotate: settings.rotate,
  seed: settings.seed,
  samples,
});

/** What results depend on. */
export const wantedResults = computed(() => JSON.stringify([request.value, text.value]));

/** Calibrates with the settings and measures all three models. */
export const calibrate = (): Promise<void> => measureAll(request.peek(), true);

/** Measures a checkpoint that was opened; round-to-nearest takes its bits. */
export function measureOpened(): Promise<void> {
  const { settings, samples } = request.peek();
  const { weights, activations, kv } = spiking.peek()!.config;
  // Weights that spike have no bits of a code.
  const weightBits = 'steps' in weights ? settings.weightBits : weightFormat({ weights }).productBits;
  const own = { ...settings, weightBits, activationBits: activations.bits, key: kv.key };
  return measureAll({ settings: own, samples }, false);
}

function measureAll(wanted: SpikingRequest, make: boolean): Promise<void> {
  const given = text.peek()!;
  return attempt('calibrating', async (worker, stopping) => {
    await worker.checkText(given);
    let shown: Results = {
      title: make ? titleOf(wanted.settings) : spiking.peek()!.name,
      rounded: titleOf(roundToNearest(wanted.settings)),
      text: given === bundledText.peek() ? 'bundled' : 'own',
      of: wantedResults.peek(),
      rows: {},
    };
    const show = (more: Partial<Results>): void => {
      results.value = shown = { ...shown, ...more };
    };
    const measure = async (which: Measured): Promise<void> => {
      const measured = await worker.measurePerplexity(which, given, wanted);
      show({ rows: { ...shown.rows, [which]: measured } });
      stopping.throwIfAborted();
    };
    results.value = shown;
    await measure('float');
    await measure('rounded');
    map.value = await worker.findSaliency(statisticsRequest(wanted));
    stopping.throwIfAborted();
    if (make) show({ madeIn: (await ensureSpiking(wanted)).seconds });
    stopping.throwIfAborted();
    await measure('spiking');
  });
}

const once = (key: string, work: () => Promise<void>): void => {
  if (tried.has(key)) return;
  tried.add(key);
  void work();
};

/** Steps and spikes of a selected channel, as the spiking model has them. */
function channelRequest({ request: statistics }: SaliencyMap, at: Selection): ChannelRequest {
  const { layer, group } = at;
  const { config, steps } = spiking.value ?? {};
  const own = steps?.find((input) => input.layer === layer && input.group === group);
  const { bits, range } = config?.activations ?? { bits: chosen.activationBits.value, range: 'lossless' };
  return { ...at, statistics, bits, range, steps: own?.steps[at.channel] ?? 1 };
}

/** The row of a selection that is on the map. */
export const rowOf = (found: SaliencyMap, at: Selection | undefined): SaliencyRow | undefined =>
  at &&
  found.rows.find(
    ({ layer, group, scores }) => layer === at.layer && group === at.group && at.channel < scores.length,
  );

/** Finds what the open room shows and nobody has to ask for: the map, and the channel that is selected. */
export const followSelection = (): (() => void) =>
  effect(() => {
    if (!ready.value) return;
    const found = map.value;
    if (found === undefined) {
      const wanted = statisticsRequest(request.peek());
      // Rotation takes kernels that not every backend has.
      if (unable.peek() !== undefined) return;
      once('map', () =>
        attempt('finding saliency', async (worker) => void (map.value = await worker.findSaliency(wanted))),
      );
      return;
    }
    const at = selected.value;
    if (at === undefined || !rowOf(found, at)) return;
    const wanted = channelRequest(found, at);
    const key = JSON.stringify(wanted);
    if (JSON.stringify(view.peek()?.request) === key) return;
    once(key, () =>
      attempt('looking at a channel', async (worker) => {
        view.value = await worker.lookAtChannel(wanted);
        tried.delete(key);
      }),
    );
  });
