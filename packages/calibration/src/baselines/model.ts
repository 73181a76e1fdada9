/** A whole model by a weight-only method without a packed format: a float folder, and what a format of its own would take. */
import type { Backend } from '@spikellm/backend';
import { createCheckpoint, type FilesOption, type ModelFolder } from '@spikellm/checkpoint';
import {
  globalWeights,
  hostTensor,
  inputNormName,
  lend,
  mlpNormName,
  readLayer,
  type DecoderConfig,
  type LayerWeights,
} from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';
import { checkWindows, floatConfig } from '../check.ts';
import { embedWindows } from '../embed.ts';
import { DEFAULT_GPTQ } from '../gptq/settings.ts';
import { quantizeLayer } from '../gptq/layer.ts';
import { runLayer } from '../layer-pass.ts';
import { createStreams } from '../streams.ts';
import { fakeQuantise, type BaselineMethod } from './methods.ts';

/** `files` is where `out` is made. */
export interface BaselineOptions extends FilesOption {
  readonly model: ModelFolder;
  /** The folder to make; it must not exist. */
  readonly out: string;
  readonly backend: Backend;
  readonly method: BaselineMethod;
  /** Calibration windows of token ids, all of one length. */
  readonly windows: readonly (readonly number[])[];
  /** In parts of the mean of the diagonal of a Hessian; 0.01 by default. Channels come in their own order, as published. */
  readonly damping?: number;
  readonly signal?: AbortSignal;
  /** Counts linears. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface BaselineReport {
  /** Of the linears, with scales and maps, as a packed format would store them; the folder itself holds float32. */
  readonly bitsPerWeight: number;
  /** Mean additions of a weight and input: 1 a sign or trit, n a code of n bits. */
  readonly steps: number;
}

/**
 * Quantises the linears of a model layer by layer and writes the rounded weights as a float model, which any reader of float
 * models evaluates. It is not smaller than the model it was made from: `bitsPerWeight` says what the method itself needs.
 *
 * Errors: as `quantize`.
 */
export async function quantizeBaseline(options: BaselineOptions): Promise<BaselineReport> {
  const {
    model,
    out,
    backend,
    method,
    windows,
    damping = DEFAULT_GPTQ.damping,
    signal,
    onProgress,
    files,
  } = options;
  const config = floatConfig(model);
  checkWindows(windows, config, 1);
  const writer = await createCheckpoint(out, {
    fingerprint: { method: JSON.stringify(method) },
    resume: false,
    ...(files && { files }),
  });
  const pass = { config, backend, windows, signal };
  const { rounded: stream } = await createStreams(pass, ['rounded']);
  await using _ = stream;
  await embedWindows({ ...pass, tensors: model.tensors }, stream);
  const lent = lend(model.tensors);
  let [bits, weights, additions, done] = [0, 0, 0, 0];
  for (let index = 0; index < config.layers; index++) {
    const quantised = await quantizeLayer({
      ...pass,
      gptq: { damping, actOrder: false },
      index,
      weights: await readLayer(lent.tensors, config, index, undefined, signal),
      inputs: stream,
      async method(on, weight, hessian) {
        const result = await fakeQuantise(on, weight, hessian, method);
        bits += result.bits;
        weights += weight.length;
        additions += result.steps * weight.length;
        const dims = [weight.length / hessian.order.length, hessian.order.length];
        return { weight: hostTensor('float32', result.weights, dims), error: result.error };
      },
      onLinear: () => onProgress?.(++done, 7 * config.layers),
    });
    await writer.writeShard(`layer-${index}`, layerTensors(index, quantised));
    if (index + 1 < config.layers) await runLayer(pass, index, quantised, { from: stream, to: stream });
    lent.free();
  }
  await writer.writeShard('rest', await globalTensors(model, config));
  const report = { bitsPerWeight: bits / weights, steps: additions / weights };
  await writer.writeJson('baseline.json', { method, ...report });
  await writer.finish(model.config, model);
  return report;
}

const float = (data: unknown, dims: readonly number[]): Tensor =>
  new Tensor('float32', data as Float32Array, dims);

function layerTensors(index: number, { inputNorm, mlpNorm, linears }: LayerWeights): [string, Tensor][] {
  return [
    [inputNormName(index), float(inputNorm.data, inputNorm.dims)],
    [mlpNormName(index), float(mlpNorm.data, mlpNorm.dims)],
    ...linears.flatMap(({ entry, weight, bias }): [string, Tensor][] => {
      const { data, dims } = weight as ReturnType<typeof hostTensor>;
      return [
        [`${entry.prefix}.weight`, float(data, dims)],
        ...(bias ? [[`${entry.prefix}.bias`, float(bias.data, bias.dims)] as [string, Tensor]] : []),
      ];
    }),
  ];
}

const globalTensors = async ({ tensors }: ModelFolder, config: DecoderConfig): Promise<[string, Tensor][]> =>
  Promise.all(
    globalWeights(config).map(async ({ name }): Promise<[string, Tensor]> => [
      name,
      await tensors.read(name, { as: 'stored' }),
    ]),
  );
