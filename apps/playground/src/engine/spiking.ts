/** Makes the spiking model: quantises the float one in the memory of the worker. */
import { quantize } from '@spikellm/calibration';
import { createMemoryFiles, openModelFolder } from '@spikellm/checkpoint';
import { describeModel, type ActivationBits } from '@spikellm/evaluation';
import { inputSites, parseModel, readSteps, type SpikingConfig } from '@spikellm/graph';
import type { SpikingRequest } from './settings.ts';
import { knownStatistics } from './statistics.ts';
import { calibrationWindows } from './windows.ts';
import type { OpenModel, Workbench } from './workbench.ts';

export interface SpikingSummary {
  readonly name: string;
  /** What it was made with; null for a checkpoint that was opened. */
  readonly request: SpikingRequest | null;
  /** How long it took; null for a checkpoint that was opened. */
  readonly seconds: number | null;
  readonly config: SpikingConfig;
  /** True bits: codes, scales, zero points, steps. */
  readonly bitsPerWeight: number;
  readonly activations: ActivationBits;
  readonly bytes: number;
  /** Steps at the inputs of its linears. */
  readonly steps: readonly InputSteps[];
}

/** The input that some linears share, in one layer. */
export interface LayerInput {
  readonly layer: number;
  /** The spike site, such as `qkv`. */
  readonly group: string;
}

export interface InputSteps extends LayerInput {
  /** T of each channel, [C]; the most where the linears of the site differ. */
  readonly steps: Uint8Array;
}

const PHASES = {
  check: 'checking the model',
  calibrate: 'calibrating',
  gradients: 'finding gradients',
  encode: 'encoding layers',
  train: 'training layers',
  compensate: 'compensating errors',
} as const;

export const spikingOf = (workbench: Workbench) => ({
  /**
   * Turns the float model into a spiking one, which takes the place of the one before it.
   * Errors: those of `quantize`; rejects with an AbortError when stopped, and the model before it stays.
   */
  makeSpiking: (request: SpikingRequest): Promise<SpikingSummary> =>
    workbench.work('making the spiking model', async (signal) => {
      const began = performance.now();
      const model = await quantised(workbench, request, signal);
      const seconds = (performance.now() - began) / 1000;
      const summary = { ...(await summariseSpiking(model)), request, seconds };
      workbench.setModel('spiking', model);
      return summary;
    }),

  /** The files of the spiking model's folder, by name. */
  spikingFiles: (): Promise<ReadonlyMap<string, Blob>> => workbench.model('spiking').blobs(),
});

/** The float model with these settings, in memory of its own. */
export async function quantised(
  workbench: Workbench,
  { settings, samples }: SpikingRequest,
  signal: AbortSignal,
): Promise<OpenModel> {
  const float = workbench.model('float');
  const statistics = knownStatistics(workbench, { ...settings, samples });
  const files = createMemoryFiles();
  await quantize({
    model: float.folder,
    out: FOLDER,
    files,
    backend: workbench.backend(),
    settings,
    windows: await calibrationWindows(float, { samples, seed: settings.seed }),
    ...(statistics && { statistics }),
    signal,
    onProgress: ({ phase, done, total }) => workbench.report(PHASES[phase], done, total),
  });
  return {
    name: `${float.name}-spiking`,
    folder: await openModelFolder(FOLDER, { files }),
    tokenizer: float.tokenizer,
    blobs: async () => files.blobs(FOLDER),
  };
}
const FOLDER = 'spiking';

/** What a spiking model says of itself. Errors: those of its config; MISSING, SHAPE. */
export async function summariseSpiking({ name, folder }: OpenModel): Promise<SpikingSummary> {
  const { total, bytes, spiking } = await describeModel(folder.config, folder.tensors);
  return {
    name,
    request: null,
    seconds: null,
    config: spiking!,
    bitsPerWeight: total.bitsPerWeight,
    activations: total,
    bytes: bytes.total,
    steps: await stepsOfInputs(folder),
  };
}

async function stepsOfInputs({ config, tensors }: OpenModel['folder']): Promise<InputSteps[]> {
  const found: InputSteps[] = [];
  for (const layer of parseModel(config).layers) {
    for (const { name: group, channels, readers } of inputSites(layer)) {
      const each = await Promise.all(
        readers.map(({ name }) => readSteps(tensors, layer.prefix + name, channels)),
      );
      const steps = each[0].map((_, j) => Math.max(...each.map((own) => own[j])));
      found.push({ layer: layer.index, group, steps });
    }
  }
  return found;
}
