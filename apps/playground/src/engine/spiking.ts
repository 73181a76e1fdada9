/** Makes the spiking model: quantises the float one in the memory of the worker. */
import { quantize, sampleWindows } from '@spikellm/calibration';
import { createMemoryFiles, openModelFolder } from '@spikellm/checkpoint';
import { texts } from '@spikellm/demo-model';
import { describeModel, type ActivationBits } from '@spikellm/evaluation';
import { parseDecoderConfig } from '@spikellm/graph';
import type { SpikingRequest } from './settings.ts';
import type { OpenModel, Workbench } from './workbench.ts';

/** Tokens of a calibration window, where the context of the model has room for them. */
export const WINDOW = 256;

export interface SpikingSummary {
  readonly request: SpikingRequest;
  readonly seconds: number;
  /** True bits: codes, scales, zero points, steps. */
  readonly bitsPerWeight: number;
  readonly activations: ActivationBits;
  readonly bytes: number;
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
      workbench.setModel('spiking', model);
      const { total, bytes } = await describeModel(model.folder.config, model.folder.tensors);
      return {
        request,
        seconds: (performance.now() - began) / 1000,
        bitsPerWeight: total.bitsPerWeight,
        activations: total,
        bytes: bytes.total,
      };
    }),
});

/** The float model with these settings, in memory of its own. */
export async function quantised(
  workbench: Workbench,
  { settings, samples }: SpikingRequest,
  signal: AbortSignal,
): Promise<OpenModel> {
  const { name, folder, tokenizer } = workbench.model('float');
  const windows = await calibrationWindows(workbench.model('float'), samples, settings.seed);
  const files = createMemoryFiles();
  await quantize({
    model: folder,
    out: 'spiking',
    files,
    backend: workbench.backend(),
    settings,
    windows,
    signal,
    onProgress: ({ phase, done, total }) => workbench.report(PHASES[phase], done, total),
  });
  return { name: `${name}, spiking`, folder: await openModelFolder('spiking', { files }), tokenizer };
}

/** Windows of the bundled calibration text, as the command line draws them. */
export async function calibrationWindows(
  { folder, tokenizer }: OpenModel,
  samples: number,
  seed: number,
): Promise<number[][]> {
  const { contextLength } = parseDecoderConfig(folder.config);
  const text = await (await fetch(texts.calibration)).text();
  return sampleWindows(tokenizer.encode(text), { samples, length: Math.min(WINDOW, contextLength), seed });
}
