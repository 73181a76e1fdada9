import type { Backend } from '@spikellm/backend';
import { createCheckpoint, type FilesOption, type ModelFolder } from '@spikellm/checkpoint';
import {
  bindTensors,
  FLOAT_BITS,
  globalWeights,
  tables,
  type ModelGraph,
  type TensorSource,
} from '@spikellm/graph';
import type { Tensor } from 'onnxruntime-common';
import { checkWindows, fingerprintOf, floatModel } from './check.ts';
import { toTensor } from './encode.ts';
import { planModel } from './gradients/plan-model.ts';
import type { StepPlan } from './gradients/plan.ts';
import type { LayerStatistics } from './observers.ts';
import { checkSettings, ownSettings, pipelineOf, spikingConfig } from './pipelines/index.ts';
import { quantizeLayers } from './pipelines/layerwise.ts';
import type { TrainingProgress } from './pipelines/pipeline.ts';
import { roundRows } from './round.ts';
import { needsGradients, type QuantizeSettings } from './settings/settings.ts';
import { createStepChooser, type StepChooser } from './steps.ts';
import { spillingOf } from './streams.ts';
import { rotateModel } from './transforms/rotation.ts';

export interface QuantizeProgress {
  /**
   * `check` and `encode` count layers, `calibrate` windows times layers, `gradients` windows of each layer forward and
   * backward, `train` updates, `compensate` linears.
   */
  readonly phase: 'check' | 'calibrate' | 'gradients' | 'encode' | 'train' | 'compensate';
  readonly done: number;
  readonly total: number;
  /** How the layer that is being trained has come along. */
  readonly training?: TrainingProgress;
}

/** `files` is where `out` is made. */
export interface QuantizeOptions extends FilesOption {
  readonly model: ModelFolder;
  /** The folder to make; it must not exist. */
  readonly out: string;
  readonly backend: Backend;
  readonly settings: QuantizeSettings;
  /** Calibration windows of token ids, all of one length; see `sampleWindows`. */
  readonly windows: readonly (readonly number[])[];
  /** Statistics of an earlier `collectStatistics` on the same model and windows. */
  readonly statistics?: readonly LayerStatistics[];
  /** Bytes of activations between layers that stay in memory, 2 GiB by default; the rest is on disk. */
  readonly memory?: number;
  /** Continue an unfinished run of the same model, windows and settings. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: QuantizeProgress) => void;
  /** Told what a user should know and nothing stops for, such as a damping that had to be raised. */
  readonly onNotice?: (text: string) => void;
}

/**
 * Turns a float model folder into a SpikeLLM checkpoint: calibrates layer by layer, chooses spike steps, and writes one
 * shard per layer. A run that is killed or aborted leaves `<out>.partial`, which `resume` continues to the same bytes.
 *
 * Errors: INVALID_ARGUMENT (settings, windows), EXISTS, MISMATCH (resume), UNSUPPORTED, MISSING, SHAPE, NOT_FINITE;
 * rejects with the signal's reason when aborted.
 */
export async function quantize(options: QuantizeOptions): Promise<void> {
  const { model, out, backend, settings, windows, resume = false, files, signal, onProgress } = options;
  checkSettings(settings);
  const given = floatModel(model);
  const source = bindTensors(model.tensors, given, undefined);
  checkWindows(windows, given, needsGradients(settings) ? 2 : 1);
  const fingerprint = await fingerprintOf(options, given, source);
  const writer = await createCheckpoint(out, { fingerprint, resume, ...(files && { files }) });

  const { graph, json, tensors } =
    settings.rotate === 'none'
      ? { graph: given, json: {}, tensors: source }
      : rotateModel(backend, given, source, settings.seed);
  const memory = options.memory ?? DEFAULT_MEMORY;
  const shared = { graph, tensors, backend, settings, windows, writer, signal };
  const plan = needsGradients(settings)
    ? await planModel({
        ...shared,
        memory,
        onProgress: (done, total) => onProgress?.({ phase: 'gradients', done, total }),
      })
    : undefined;
  if (plan) await writer.writeJson(STEPS_LOG, plan.operations);
  await quantizeLayers({
    ...shared,
    pipeline: pipelineOf(settings),
    own: ownSettings(settings),
    spiking: spikingConfig(settings),
    statistics: options.statistics,
    chooseSteps: stepChooser(settings, plan),
    shardName: (index) => shardName(index, graph),
    spilling: spillingOf(writer, memory),
    onNotice: options.onNotice,
    onProgress: (phase, done, total, training) =>
      onProgress?.({ phase, done, total, ...(training && { training }) }),
  });
  const rest = shardName(graph.layers.length, graph);
  if (!writer.finished.has(rest))
    await writer.writeShard(rest, await globalTensors(tensors, graph, settings));
  await writer.finish({ ...model.config, ...json, quantization_config: spikingConfig(settings) }, model);
}

/** In the folder: extra multiply-adds per token, those that the quota rule would spend and those spent. */
const STEPS_LOG = 'steps_log.json';
/** Bytes of activations between layers that stay in memory, where nothing else is said. */
export const DEFAULT_MEMORY = 2 ** 31;

const stepChooser = (settings: QuantizeSettings, plan: StepPlan | undefined): StepChooser =>
  plan ? ({ index }) => plan.layers[index] : createStepChooser(settings);

function shardName(index: number, { layers }: ModelGraph): string {
  const number = (value: number): string => String(value).padStart(5, '0');
  return `model-${number(index + 1)}-of-${number(layers.length + 1)}`;
}

/** What is outside the layers: the tables packed where that is asked for, the rest as the source stores it. */
async function globalTensors(
  tensors: TensorSource,
  graph: ModelGraph,
  { embeddingBits }: QuantizeSettings,
): Promise<[string, Tensor][]> {
  const packed = embeddingBits < FLOAT_BITS ? tables(graph) : [];
  const written: [string, Tensor][] = [];
  for (const { name } of globalWeights(graph)) {
    const table = packed.find(({ prefix }) => name === `${prefix}.weight`);
    if (table === undefined) written.push(toTensor([name, await tensors.read(name, { as: 'stored' })]));
    else
      written.push(
        ...roundRows(await tensors.read(name), embeddingBits)
          .tensors(table.prefix)
          .map(toTensor),
      );
  }
  return written;
}
