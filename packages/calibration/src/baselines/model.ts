/** A whole model by a weight-only method without a packed format: a float folder, and what a format of its own would take. */
import type { Backend } from '@spikellm/backend';
import { createCheckpoint, type FilesOption, type ModelFolder } from '@spikellm/checkpoint';
import {
  bindTensors,
  floatWeight,
  globalWeights,
  hostTensor,
  inArena,
  readLayer,
  type ModelGraph,
  type TensorSource,
} from '@spikellm/graph';
import type { Tensor } from 'onnxruntime-common';
import { checkWindows, floatModel } from '../check.ts';
import { compensateLayer } from '../compensation/layer.ts';
import { GPTQ_FIELDS } from '../compensation/settings.ts';
import { embedWindows } from '../embed.ts';
import { encodeLayer, toTensor } from '../encode.ts';
import { runLayer } from '../layer-pass.ts';
import { linearsOf } from '../sizing/pipeline-size.ts';
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
    damping = GPTQ_FIELDS.damping.default,
    signal,
    onProgress,
    files,
  } = options;
  const graph = floatModel(model);
  const tensors = bindTensors(model.tensors, graph, undefined);
  checkWindows(windows, graph, 1);
  const writer = await createCheckpoint(out, {
    fingerprint: { method: JSON.stringify(method) },
    resume: false,
    ...(files && { files }),
  });
  const pass = { graph, backend, windows, signal };
  const { rounded: stream } = await createStreams(pass, ['rounded']);
  await using _ = stream;
  await embedWindows({ ...pass, tensors }, stream);
  const arena = inArena(tensors);
  const total = graph.layers.reduce((sum, layer) => sum + linearsOf(layer).length, 0);
  let [bits, weights, additions, done] = [0, 0, 0, 0];
  for (const layer of graph.layers) {
    const quantised = await compensateLayer({
      ...pass,
      own: { damping, actOrder: false },
      layer,
      weights: await readLayer(arena.tensors, layer, undefined, signal),
      inputs: stream,
      async method(on, weight, hessian) {
        const result = await fakeQuantise(on, weight, hessian, method);
        bits += result.bits;
        weights += weight.length;
        additions += result.steps * weight.length;
        const dims = [weight.length / hessian.order.length, hessian.order.length];
        return { weight: floatWeight(hostTensor('float32', result.weights, dims)), error: result.error };
      },
      onLinear: () => onProgress?.(++done, total),
    });
    await writer.writeShard(`layer-${layer.index}`, encodeLayer(layer, quantised));
    if (layer.index + 1 < graph.layers.length)
      await runLayer(pass, layer, quantised, { from: stream, to: stream });
    arena.free();
  }
  await writer.writeShard('rest', await globalTensors(tensors, graph));
  const report = { bitsPerWeight: bits / weights, steps: additions / weights };
  await writer.writeJson('baseline.json', { method, ...report });
  await writer.finish(model.config, model);
  return report;
}

const globalTensors = async (tensors: TensorSource, graph: ModelGraph): Promise<[string, Tensor][]> =>
  Promise.all(
    globalWeights(graph).map(async ({ name }) =>
      toTensor([name, await tensors.read(name, { as: 'stored' })]),
    ),
  );
