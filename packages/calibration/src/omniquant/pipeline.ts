/** OmniQuant and SpikeLLM: layer after layer is trained on what the layers before it, already spiking, hand over. */
import type { Backend } from '@spikellm/backend';
import type { CheckpointWriter, TensorSource } from '@spikellm/checkpoint';
import { readLayer, type DecoderConfig, type LayerWeights } from '@spikellm/graph';
import { encodeLayer } from '../encode.ts';
import { applyScales } from '../equivalence.ts';
import { runLayer } from '../layer-pass.ts';
import { needsScores, spikingConfig, type QuantizeSettings } from '../settings.ts';
import { embedWindows } from '../statistics.ts';
import type { StepChooser } from '../steps.ts';
import { createStream, type ActivationStream } from '../streams.ts';
import type { LayerStatistics } from '../watch.ts';
import { equivalentScales, initialParameters } from './parameters.ts';
import { trainLayer } from './train.ts';

/** How the training of one layer went: the mean loss of each epoch, the first before any update has told. */
export interface LayerLog {
  readonly layer: number;
  readonly losses: readonly number[];
}

export interface TrainLayersOptions {
  readonly config: DecoderConfig;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly settings: QuantizeSettings;
  readonly windows: readonly (readonly number[])[];
  readonly writer: CheckpointWriter;
  readonly shardName: (layer: number) => string;
  readonly chooseSteps: StepChooser;
  /** Bytes of activations that stay in memory; what is beyond goes to the unfinished folder. */
  readonly memory: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
}

export interface TrainingProgress extends LayerLog {
  readonly layers: number;
  readonly epochs: number;
}

interface Streams {
  /** Of the float model. */
  readonly float: ActivationStream;
  /** Of the model as far as it spikes. */
  readonly spiking: ActivationStream;
  /** What the float layer makes of `spiking`; only for the augmented loss. */
  readonly augmented: ActivationStream | undefined;
}

/**
 * Trains every layer and writes it as a shard; layers that an earlier run wrote are only run. Memory holds one layer,
 * its gradients and `memory` bytes of activations. Returns the log of every layer.
 *
 * Errors: those of `trainLayer`, `readLayer` and the writer.
 */
export async function trainLayers(options: TrainLayersOptions): Promise<LayerLog[]> {
  const { config, tensors, settings, writer, shardName, chooseSteps, signal } = options;
  const streams = await openStreams(options);
  try {
    for (const stream of [streams.float, streams.spiking]) await fill(options, stream);
    const logs: LayerLog[] = [];
    for (let index = 0; index < config.layers; index++) {
      signal?.throwIfAborted();
      const weights = await readLayer(tensors, config, index, undefined, signal);
      const sizes = await runLayer(options, index, weights, undefined, streams.float, streams.float);
      if (writer.finished.has(shardName(index))) {
        // Random scores are drawn again, so that later layers get theirs.
        if (settings.saliency === 'random') chooseSteps(index, undefined);
        logs.push((await writer.readNote(shardName(index))) as LayerLog);
      } else {
        logs.push(await quantizeLayer(options, index, weights, sizes!, streams));
      }
      if (index + 1 < config.layers) await advance(options, index, streams.spiking);
    }
    return logs;
  } finally {
    for (const stream of Object.values(streams)) await stream?.[Symbol.asyncDispose]();
  }
}

async function openStreams({
  backend,
  config,
  settings,
  windows,
  writer,
  memory,
}: TrainLayersOptions): Promise<Streams> {
  const dims = [windows[0].length, config.hiddenSize] as const;
  const { augmentedLoss } = settings.training;
  const bytes = dims[0] * dims[1] * Float32Array.BYTES_PER_ELEMENT;
  const resident = Math.floor(memory / ((augmentedLoss ? 3 : 2) * bytes));
  const open = (name: string): Promise<ActivationStream> =>
    createStream({ backend, dims, resident, folder: writer.folder, name });
  return {
    float: await open('float'),
    spiking: await open('spiking'),
    augmented: augmentedLoss ? await open('augmented') : undefined,
  };
}

async function fill(options: TrainLayersOptions, stream: ActivationStream): Promise<void> {
  let window = 0;
  for await (const x of embedWindows(options)) await stream.set(window++, x);
}

/** Trains one layer, writes it, and returns how it went. */
async function quantizeLayer(
  options: TrainLayersOptions,
  index: number,
  weights: LayerWeights,
  { absmax }: LayerStatistics,
  { float, spiking, augmented }: Streams,
): Promise<LayerLog> {
  const { config, backend, settings, windows, writer, shardName, chooseSteps, signal, onProgress } = options;
  const { training } = settings;
  const watched = needsScores(settings) || augmented !== undefined;
  const statistics = watched
    ? await runLayer(options, index, weights, undefined, spiking, augmented)
    : undefined;
  const steps = chooseSteps(index, statistics);
  const parameters = initialParameters(weights, config, absmax, { alpha: training.alpha, form: 'tied' });
  const losses: number[] = [];
  await trainLayer({
    backend,
    config,
    weights,
    steps,
    settings,
    training,
    parameters,
    length: windows[0].length,
    windows: windows.length,
    inputs: spiking,
    targets: [float, ...(augmented ? [augmented] : [])],
    where: `layer ${index}`,
    signal,
    onEpoch(_, loss) {
      losses.push(loss);
      onProgress?.({ layer: index, layers: config.layers, epochs: training.epochs, losses });
    },
  });
  const folded = applyScales(weights, config, equivalentScales(parameters, config));
  const encoded = await encodeLayer(index, folded, steps, settings.weightBits, parameters.clipping, signal);
  const log = { layer: index, losses };
  await writer.writeNote(shardName(index), log);
  await writer.writeShard(shardName(index), encoded);
  return log;
}

/** Moves the spiking stream through a layer that has been written. */
async function advance(options: TrainLayersOptions, index: number, stream: ActivationStream): Promise<void> {
  const { config, writer, shardName, settings } = options;
  const spiking = spikingConfig(settings);
  await using shard = await writer.openShard(shardName(index));
  const weights = await readLayer(shard, config, index, spiking);
  await runLayer(options, index, weights, spiking, stream, stream);
}
