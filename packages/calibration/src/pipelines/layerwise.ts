/** The loop that all pipelines share: layer after layer, with the activations that go through them, spilled, resumable. */
import type { Backend } from '@spikellm/backend';
import type { CheckpointWriter } from '@spikellm/checkpoint';
import {
  inArena,
  readLayer,
  type LayerGraph,
  type LayerWeights,
  type ModelGraph,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { embedWindows } from '../embed.ts';
import { encodeLayer } from '../encode.ts';
import { runLayer, type LayerPassOptions } from '../layer-pass.ts';
import { observeLayer, observeSizes, type LayerSizes, type LayerStatistics } from '../observers.ts';
import { needsStatistics, type CommonSettings } from '../settings/settings.ts';
import type { StepChooser } from '../steps.ts';
import { createStreams, type Spilling } from '../streams.ts';
import type { LayerTask, Pipeline, Streams, TrainingProgress } from './pipeline.ts';

export interface LayerwiseOptions {
  readonly graph: ModelGraph;
  /** Float weights. */
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly pipeline: Pipeline;
  readonly settings: CommonSettings;
  /** The pipeline's own settings. */
  readonly own: unknown;
  readonly spiking: SpikingConfig;
  readonly windows: readonly (readonly number[])[];
  /** Statistics of the float model that are known already. */
  readonly statistics?: readonly LayerStatistics[] | undefined;
  readonly chooseSteps: StepChooser;
  readonly writer: CheckpointWriter;
  readonly shardName: (layer: number) => string;
  readonly spilling: Spilling;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (
    phase: 'calibrate' | 'encode' | 'train' | 'compensate',
    done: number,
    total: number,
    training?: TrainingProgress,
  ) => void;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Quantises every layer and writes it as a shard; layers that an earlier run wrote are only run, where activations have to
 * get to those after them. Memory holds one layer, what its pipeline makes of it, and the activations that spilling leaves
 * there. Errors: those of the pipeline, `readLayer` and the writer.
 */
export async function quantizeLayers(options: LayerwiseOptions): Promise<void> {
  const { graph, tensors, pipeline, writer, shardName, signal } = options;
  const needs = streamNeeds(options);
  const names = (['float', 'quantised', 'augmented'] as const).filter((name) => needs[name] !== undefined);
  const streams: Streams = await createStreams(options, names);
  const arena = inArena(tensors);
  const log = await openLog(writer, pipeline);
  const progress = countProgress(options);
  const passing: LayerPassOptions = { ...options, onWindow: () => progress.window() };
  try {
    const entering = [streams.float, streams.quantised].filter((stream) => stream !== undefined);
    if (entering.length > 0) await embedWindows(options, ...entering);
    for (const layer of graph.layers) {
      signal?.throwIfAborted();
      const finished = writer.finished.has(shardName(layer.index));
      const { float } = streams;
      const last = layer.index + 1 === graph.layers.length;
      let weights: LayerWeights | undefined;
      const read = async (): Promise<LayerWeights> =>
        (weights ??= await readLayer(arena.tensors, layer, undefined, signal));
      let sizes: LayerSizes | LayerStatistics | undefined;
      if (float !== undefined) {
        const observe = finished ? undefined : needs.observed === 'statistics' ? observeLayer : observeSizes;
        sizes = await runLayer<LayerSizes>(passing, layer, await read(), { from: float, to: float, observe });
      }
      if (!finished) {
        const known = (options.statistics?.[layer.index] ?? sizes) as LayerStatistics | undefined;
        await writeLayer(options, layer, await read(), { streams, needs, known, arena, log, progress });
      }
      arena.free();
      if (streams.quantised && !last) await runWrittenLayer(options, layer, streams);
      progress.layer(layer.index);
    }
  } finally {
    for (const stream of Object.values(streams)) await stream[Symbol.asyncDispose]();
  }
}

/** What goes through the layers: what the pipeline asks for, and the float stream where saliency is scored on nothing else. */
function streamNeeds({ pipeline, settings, own, statistics }: LayerwiseOptions) {
  const asked = pipeline.streams?.(settings, own) ?? {};
  const scores = needsStatistics(settings);
  const onFloat = scores && asked.quantised === undefined && statistics === undefined;
  const sizesKnown = statistics !== undefined && asked.quantised === undefined;
  return {
    ...asked,
    float: onFloat || !sizesKnown ? (asked.float ?? (onFloat ? 'pass' : undefined)) : undefined,
    /** What is observed on the float stream. */
    observed: onFloat ? ('statistics' as const) : ('sizes' as const),
    scoresQuantised: scores && asked.quantised !== undefined,
  };
}

interface Writing {
  readonly streams: Streams;
  readonly needs: ReturnType<typeof streamNeeds>;
  readonly known: LayerStatistics | undefined;
  readonly arena: Pick<LayerTask<unknown>, 'allocate'>;
  readonly log: (layer: number, entry: object) => Promise<void>;
  readonly progress: ReturnType<typeof countProgress>;
}

async function writeLayer(
  options: LayerwiseOptions,
  layer: LayerGraph,
  weights: LayerWeights,
  { streams, needs, known, arena, log, progress }: Writing,
): Promise<void> {
  const { pipeline, settings, writer, shardName, chooseSteps } = options;
  const { quantised, augmented } = streams;
  const observe = needs.scoresQuantised ? observeLayer : undefined;
  const seen =
    quantised && (observe || augmented)
      ? await runLayer(options, layer, weights, { from: quantised, to: augmented, observe })
      : undefined;
  // Where a metric needs no statistics, what is known may be sizes alone.
  const steps = chooseSteps(layer, needsStatistics(settings) ? (seen ?? known) : undefined);
  const made = await pipeline.quantizeLayer({
    ...options,
    layer,
    weights,
    steps,
    sizes: known,
    streams,
    allocate: arena.allocate,
    signal: options.signal,
    onNotice: options.onNotice,
    log: (entry) => log(layer.index, entry),
    onProgress: (done, training) => progress.unit(layer.index, done, training),
  });
  await writer.writeShard(shardName(layer.index), encodeLayer(layer, made, steps));
}

/** Moves the activations of the quantised model through a layer that has been written. */
async function runWrittenLayer(
  options: LayerwiseOptions,
  layer: LayerGraph,
  { quantised }: Streams,
): Promise<void> {
  const { writer, shardName, spiking } = options;
  await using shard = await writer.openShard(shardName(layer.index));
  const arena = inArena(shard);
  const weights = await readLayer(arena.tensors, layer, spiking);
  await runLayer(options, layer, weights, { spiking, from: quantised!, to: quantised! });
  arena.free();
}

/** Writes entries of layers; those of a layer that is done again, and of later ones, go. */
async function openLog(
  writer: CheckpointWriter,
  { logFile }: Pipeline,
): Promise<(layer: number, entry: object) => Promise<void>> {
  if (logFile === undefined) return () => Promise.resolve();
  const log = ((await writer.readJson(logFile)) ?? []) as object[];
  return async (layer, entry) => {
    log.splice(layer, Infinity, { layer, ...entry });
    await writer.writeJson(logFile, log);
  };
}

/** Counts the units of the pipeline's work; else windows of the layers where there are any to observe, and layers. */
function countProgress(options: LayerwiseOptions) {
  const { graph, pipeline, windows, own, onProgress } = options;
  const { work } = pipeline;
  const layers = graph.layers.length;
  const units = graph.layers.map((layer) => work?.units(layer, windows.length, own) ?? 0);
  const before = (index: number): number => units.slice(0, index).reduce((sum, count) => sum + count, 0);
  const total = before(layers);
  let passed = 0;
  return {
    window(): void {
      if (work === undefined) onProgress('calibrate', ++passed, layers * windows.length);
    },
    unit(index: number, done: number, training?: TrainingProgress): void {
      if (work !== undefined) onProgress(work.phase, before(index) + done, total, training);
    },
    layer(index: number): void {
      if (work === undefined) onProgress('encode', index + 1, layers);
    },
  };
}
