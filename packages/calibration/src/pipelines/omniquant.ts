/** OmniQuant and SpikeLLM: layer after layer is trained on what the layers before it, already spiking, hand over. */
import { lend, readLayer, type LayerWeights, type Loan, type TensorSource } from '@spikellm/graph';
import { encodeLayer } from '../encode.ts';
import { embedWindows } from '../embed.ts';
import { applyScales } from '../equivalence.ts';
import { runLayer } from '../layer-pass.ts';
import { needsScores } from '../settings.ts';
import type { StepChooser } from '../steps.ts';
import { createStreams, type ActivationStream, type Spilling } from '../streams.ts';
import { watchLayer, watchSizes, type LayerSizes } from '../watch.ts';
import { runWrittenLayer, type WrittenLayerOptions } from '../written-layer.ts';
import { equivalentScales, initialParameters } from './parameters.ts';
import { trainLayer } from './train.ts';

/** How the training of one layer goes: the mean loss of each epoch, the first before any update has told. */
export interface LayerLog {
  readonly layer: number;
  readonly losses: readonly number[];
}

export interface TrainLayersOptions extends WrittenLayerOptions {
  readonly tensors: TensorSource;
  readonly chooseSteps: StepChooser;
  readonly spilling: Spilling;
  /** Called after each update, and counts the updates of all layers. */
  readonly onProgress?: ((done: number, total: number, training: TrainingProgress) => void) | undefined;
}

/** In the folder, written anew after each epoch: the losses of every layer. */
const LOG = 'training_log.json';

export interface TrainingProgress extends LayerLog {
  readonly layers: number;
  readonly epochs: number;
}

const STREAMS = ['float', 'spiking', 'augmented'] as const;

interface Streams {
  /** Of the float model. */
  readonly float: ActivationStream;
  /** Of the model as far as it spikes. */
  readonly spiking: ActivationStream;
  /** What the float layer makes of `spiking`; only for the augmented loss. */
  readonly augmented?: ActivationStream;
}

/**
 * Trains every layer and writes it as a shard; layers that an earlier run wrote are only run. Memory holds one layer,
 * its gradients and the activations that spilling leaves there. The folder's `training_log.json` follows the losses.
 *
 * Errors: those of `trainLayer`, `readLayer` and the writer.
 */
export async function trainLayers(options: TrainLayersOptions): Promise<void> {
  const { config, tensors, settings, writer, shardName, chooseSteps, signal } = options;
  const lent = lend(tensors);
  const names = settings.training.augmentedLoss ? STREAMS : STREAMS.slice(0, 2);
  const streams: Streams = await createStreams(options, names);
  try {
    await embedWindows(options, streams.float, streams.spiking);
    const log = ((await writer.readJson(LOG)) ?? []) as LayerLog[];
    for (let index = 0; index < config.layers; index++) {
      signal?.throwIfAborted();
      const weights = await readLayer(lent.tensors, config, index, undefined, signal);
      const finished = writer.finished.has(shardName(index));
      const { float } = streams;
      const watch = finished ? undefined : watchSizes;
      const sizes = await runLayer(options, index, weights, { from: float, to: float, watch });
      if (finished) {
        // Random scores are drawn again, so that later layers get theirs.
        if (settings.saliency === 'random') chooseSteps(index, undefined);
      } else {
        await quantizeLayer(options, index, weights, sizes!, streams, log, lent.allocate);
      }
      lent.free();
      if (index + 1 < config.layers) await runWrittenLayer(options, index, streams.spiking);
    }
  } finally {
    for (const stream of Object.values(streams)) await stream?.[Symbol.asyncDispose]();
  }
}

/** Trains one layer and writes it; `log` gets its losses in place of those of an unfinished training. */
async function quantizeLayer(
  options: TrainLayersOptions,
  index: number,
  weights: LayerWeights,
  { absmax }: LayerSizes,
  { float, spiking, augmented }: Streams,
  log: LayerLog[],
  allocate: Loan['allocate'],
): Promise<void> {
  const { config, backend, settings, windows, writer, shardName, chooseSteps, signal, onProgress } = options;
  const { training } = settings;
  const watch = needsScores(settings) ? watchLayer : undefined;
  const statistics =
    watch || augmented
      ? await runLayer(options, index, weights, { from: spiking, to: augmented, watch })
      : undefined;
  const steps = chooseSteps(index, statistics);
  const parameters = initialParameters(weights, config, absmax, training);
  const losses: number[] = [];
  log.splice(index, Infinity, { layer: index, losses });
  const updates = training.epochs * windows.length;
  let done = index * updates;
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
    async onEpoch(_, loss) {
      losses.push(loss);
      await writer.writeJson(LOG, log);
    },
    onStep() {
      const progress = { layer: index, layers: config.layers, epochs: training.epochs, losses };
      onProgress?.(++done, config.layers * updates, progress);
    },
  });
  const folded = applyScales(weights, config, equivalentScales(parameters, config), allocate);
  const encoded = await encodeLayer(index, folded, steps, settings.weightBits, parameters.clipping, signal);
  await writer.writeShard(shardName(index), encoded);
}
