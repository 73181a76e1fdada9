import type { Backend } from '@spikellm/backend';
import {
  createCheckpoint,
  type CheckpointWriter,
  type FilesOption,
  type ModelFolder,
  type TensorSource,
} from '@spikellm/checkpoint';
import { FLOAT_BITS, globalWeights, lend, readLayer, tables, type DecoderConfig } from '@spikellm/graph';
import type { Tensor } from 'onnxruntime-common';
import { checkWindows, fingerprintOf, floatConfig } from './check.ts';
import { encodeLayer, encodeTable } from './encode.ts';
import { planModel } from './fisher/plan-model.ts';
import type { StepPlan } from './fisher/plan.ts';
import { gptqLayers } from './gptq/pipeline.ts';
import { trainLayers, type TrainingProgress } from './omniquant/pipeline.ts';
import {
  checkSettings,
  needsGradients,
  needsScores,
  spikingConfig,
  type QuantizeSettings,
} from './settings.ts';
import { rotateModel } from './rotation.ts';
import { smoothLayer } from './smoothing.ts';
import { collectStatistics, type StatisticsStore } from './statistics.ts';
import { createStepChooser, type StepChooser } from './steps.ts';
import { spillingOf } from './streams.ts';
import type { LayerStatistics } from './watch.ts';

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
  const { model, out, settings, windows, resume = false, files } = options;
  checkSettings(settings);
  const given = floatConfig(model);
  checkWindows(windows, given, needsGradients(settings) ? 2 : 1);
  const fingerprint = await fingerprintOf(options, given);
  const writer = await createCheckpoint(out, { fingerprint, resume, ...(files && { files }) });

  const { config, json, tensors } =
    settings.rotate === 'none'
      ? { config: given, json: {}, tensors: options.model.tensors }
      : rotateModel(options.backend, given, options.model.tensors, settings.seed);
  const run: Run = { ...options, tensors };
  const shards: Shards = { writer, shardName: (index) => shardName(index, config) };
  const plan = await plannedSteps(run, config, writer);
  const chooseSteps: StepChooser = plan ? (layer) => plan.layers[layer] : createStepChooser(config, settings);
  if (plan) await writer.writeJson(STEPS_LOG, plan.operations);
  if (settings.pipeline === 'omniquant') await train(run, config, shards, chooseSteps);
  else if (settings.pipeline === 'gptq') await compensate(run, config, shards, chooseSteps);
  else await encode(run, config, shards, chooseSteps);
  const rest = shardName(config.layers, config);
  if (!writer.finished.has(rest))
    await writer.writeShard(rest, await globalTensors(tensors, config, settings));
  await writer.finish({ ...model.config, ...json, quantization_config: spikingConfig(settings) }, model);
}

/** In the folder: extra multiply-adds per token, those that the quota rule would spend and those spent. */
const STEPS_LOG = 'steps_log.json';
/** Bytes of activations between layers that stay in memory, where nothing else is said. */
export const DEFAULT_MEMORY = 2 ** 31;

/** The options with the tensors that are quantised: those of the model, or rotated ones. */
interface Run extends QuantizeOptions {
  readonly tensors: Pick<TensorSource, 'info' | 'read'>;
}

interface Shards {
  readonly writer: CheckpointWriter;
  readonly shardName: (layer: number) => string;
}

/** The steps of all layers under one budget, where the settings ask for them. */
async function plannedSteps(
  { tensors, backend, settings, windows, memory = DEFAULT_MEMORY, signal, onProgress }: Run,
  config: DecoderConfig,
  writer: CheckpointWriter,
): Promise<StepPlan | undefined> {
  if (!needsGradients(settings)) return undefined;
  return planModel({
    config,
    tensors,
    backend,
    settings,
    windows,
    memory,
    writer,
    signal,
    onProgress: (done, total) => onProgress?.({ phase: 'gradients', done, total }),
  });
}

/** What the pipelines take that go through the layers of the model as far as it is quantised. */
function layerwise(options: Run, config: DecoderConfig, shards: Shards, chooseSteps: StepChooser) {
  const { tensors, backend, settings, windows, memory = DEFAULT_MEMORY, signal } = options;
  const spilling = spillingOf(shards.writer, memory);
  return { config, tensors, backend, settings, windows, ...shards, chooseSteps, spilling, signal };
}

function train(options: Run, ...rest: [DecoderConfig, Shards, StepChooser]): Promise<void> {
  return trainLayers({
    ...layerwise(options, ...rest),
    onProgress: (done, total, training) => options.onProgress?.({ phase: 'train', done, total, training }),
  });
}

function compensate(options: Run, ...rest: [DecoderConfig, Shards, StepChooser]): Promise<void> {
  return gptqLayers({
    ...layerwise(options, ...rest),
    onProgress: (done, total) => options.onProgress?.({ phase: 'compensate', done, total }),
    onNotice: options.onNotice,
  });
}

/** Round-to-nearest, after smoothing where the pipeline has it. */
async function encode(
  options: Run,
  config: DecoderConfig,
  { writer, shardName: shardOf }: Shards,
  chooseSteps: StepChooser,
): Promise<void> {
  const { tensors, backend, settings, windows, memory = DEFAULT_MEMORY, signal, onProgress } = options;
  const statistics = needsStatistics(settings)
    ? (options.statistics ??
      (await collectStatistics({
        config,
        tensors,
        backend,
        windows,
        store: noteStore(writer),
        spilling: spillingOf(writer, memory),
        signal,
        onProgress: (done, total) => onProgress?.({ phase: 'calibrate', done, total }),
      })))
    : undefined;
  const lent = lend(tensors);
  for (let index = 0; index < config.layers; index++) {
    signal?.throwIfAborted();
    const steps = chooseSteps(index, statistics?.[index]);
    if (!writer.finished.has(shardOf(index))) {
      const weights = await readLayer(lent.tensors, config, index, undefined, signal);
      const smoothed =
        settings.pipeline === 'smoothquant'
          ? smoothLayer(weights, config, statistics![index], lent.allocate)
          : weights;
      const { weightBits } = settings;
      const encoded = await encodeLayer(index, smoothed, steps, weightBits, undefined, signal);
      await writer.writeShard(shardOf(index), encoded);
      lent.free();
    }
    onProgress?.({ phase: 'encode', done: index + 1, total: config.layers });
  }
}

const needsStatistics = (settings: QuantizeSettings): boolean =>
  settings.pipeline === 'smoothquant' || needsScores(settings);

function shardName(index: number, { layers }: DecoderConfig): string {
  const number = (value: number): string => String(value).padStart(5, '0');
  return `model-${number(index + 1)}-of-${number(layers + 1)}`;
}

/** What is outside the layers: the tables packed where that is asked for, the rest as the source stores it. */
async function globalTensors(
  tensors: Run['tensors'],
  config: DecoderConfig,
  { headBits }: QuantizeSettings,
): Promise<[string, Tensor][]> {
  const packed = headBits < FLOAT_BITS ? tables(config) : [];
  const written: [string, Tensor][] = [];
  for (const { name } of globalWeights(config)) {
    const table = packed.find(({ prefix }) => name === `${prefix}.weight`);
    if (table === undefined) written.push([name, await tensors.read(name, { as: 'stored' })]);
    else written.push(...encodeTable(table, await tensors.read(name), headBits));
  }
  return written;
}

/** Statistics as notes of the unfinished checkpoint. */
function noteStore(writer: CheckpointWriter): StatisticsStore {
  const note = (layer: number): string => `statistics-${layer}`;
  type Plain = { [Name in keyof LayerStatistics]: Record<string, number[]> };
  const plain = (record: object): Record<string, number[]> =>
    Object.fromEntries(Object.entries(record).map(([name, values]) => [name, [...(values as Float64Array)]]));
  const typed = (record: Record<string, number[]>): never =>
    Object.fromEntries(
      Object.entries(record).map(([name, values]) => [name, Float64Array.from(values)]),
    ) as never;
  return {
    async load(layer) {
      const found = (await writer.readNote(note(layer))) as Plain | undefined;
      return found && { channels: typed(found.channels), absmax: typed(found.absmax), kv: typed(found.kv) };
    },
    save: (layer, { channels, absmax, kv }) =>
      writer.writeNote(note(layer), { channels: plain(channels), absmax: plain(absmax), kv: plain(kv) }),
  };
}
