/**
 * Gradients of the language-model loss at everything that spikes carry: forward once with the inputs of each layer
 * stored, then backward with one layer in memory at a time, each recomputed from its inputs.
 */
import { createTape, createWorkspace } from '@spikellm/autograd';
import { createRunner, type Backend } from '@spikellm/backend';
import {
  EMBEDDING,
  FINAL_NORM,
  FLOAT_BITS,
  HEAD,
  hostTensor,
  lend,
  readLayer,
  readWeight,
  type DecoderConfig,
  type LayerWeights,
  type Loan,
  type TensorSource,
} from '@spikellm/graph';
import { embedWindows } from '../embed.ts';
import { runLayer } from '../layer-pass.ts';
import { prepareTapeLayer } from '../omniquant/forward.ts';
import type { QuantizeSettings } from '../settings.ts';
import { createStreams, type ActivationStream, type Spilling } from '../streams.ts';
import { watchSizes, type LayerSizes } from '../watch.ts';
import { createMoments, type LayerMoments } from './moments.ts';
import { layerPlaces } from './places.ts';

/** Folds scales into a layer; `allocate` has memory for new weights. */
export type Fold = (weights: LayerWeights, sizes: LayerSizes, allocate: Loan['allocate']) => LayerWeights;

export interface GradientPassOptions {
  readonly config: DecoderConfig;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly settings: QuantizeSettings;
  readonly windows: readonly (readonly number[])[];
  /** The layer as it will be encoded, where scales are folded into it; what it computes must not change. */
  readonly fold?: Fold | undefined;
  /** Numbers of steps whose errors are measured, 1 among them. */
  readonly choices: readonly number[];
  readonly spilling: Spilling;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window of each pass of a layer. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * What the calibration text says of the channels of every layer. The loss is the sum over a window of
 * -log p(next token), so that gradients are those of one token's share in what all later ones lose.
 *
 * Errors: those of `readLayer` and the streams; rejects with the signal's reason.
 */
export async function measureGradients(options: GradientPassOptions): Promise<LayerMoments[]> {
  const { config, windows, fold, tensors, signal, onProgress } = options;
  const total = (2 * config.layers + 1) * windows.length;
  let done = 0;
  const advance = (): void => onProgress?.(++done, total);
  const passing = { ...options, onWindow: advance };
  // One for what enters each layer, and one for what leaves the last, which then holds the gradients.
  const names = Array.from({ length: config.layers + 1 }, (_, index) => `layer-${index}`);
  const lent = lend(tensors);
  const inputs = Object.values(await createStreams(options, names));
  try {
    await embedWindows(options, inputs[0]);
    const observed: (LayerSizes | undefined)[] = [];
    for (let index = 0; index < config.layers; index++) {
      const weights = await readLayer(lent.tensors, config, index, undefined, signal);
      const [from, to] = [inputs[index], inputs[index + 1]];
      const watch = fold && watchSizes;
      observed.push(await runLayer(passing, index, weights, { from, to, watch }));
      lent.free();
    }
    const gradients = inputs[config.layers];
    await differentiateLoss(options, gradients, advance);
    const moments: LayerMoments[] = [];
    for (let index = config.layers - 1; index >= 0; index--) {
      const weights = await readLayer(lent.tensors, config, index, undefined, signal);
      const folded = fold ? fold(weights, observed[index]!, lent.allocate) : weights;
      moments.unshift(await differentiateLayer(options, folded, inputs[index], gradients, advance));
      await inputs[index][Symbol.asyncDispose]();
      lent.free();
    }
    return moments;
  } finally {
    for (const stream of inputs) await stream[Symbol.asyncDispose]();
  }
}

/** Puts the gradient of each window's loss by what leaves the last layer in the place of that. */
async function differentiateLoss(
  { config, tensors, backend, windows, signal }: GradientPassOptions,
  stream: ActivationStream,
  onWindow: () => void,
): Promise<void> {
  const { vocabularySize, hiddenSize, tiedEmbeddings, normEpsilon } = config;
  using runner = createRunner(backend);
  const lent = lend(tensors);
  const constant = async (name: string, shape: readonly number[]) => ({
    tensor: runner.upload(await readWeight(lent.tensors, name, shape, signal)),
    requiresGrad: false,
  });
  const norm = await constant(FINAL_NORM, [hiddenSize]);
  const head = await constant(tiedEmbeddings ? EMBEDDING : HEAD, [vocabularySize, hiddenSize]);
  lent.free();
  using workspace = createWorkspace(runner);
  const predicting = windows[0].length - 1;
  const rows = runner.upload(
    hostTensor(
      'int32',
      Int32Array.from({ length: predicting }, (_, n) => n),
    ),
  );
  const ones = hostTensor('float32', new Float32Array(predicting).fill(1));
  for (const [window, ids] of windows.entries()) {
    signal?.throwIfAborted();
    using targets = backend.upload(hostTensor('int32', Int32Array.from(ids.slice(1))));
    const gradient = await stream.use(window, async (x) => {
      using tape = createTape(workspace);
      const found = backend.abortable(signal, () => {
        const hidden = tape.parameter(x);
        const normed = tape.rmsnorm(tape.embedding(rows, hidden), norm, normEpsilon);
        const losses = tape.crossEntropy(tape.linear(normed, head), targets);
        return tape.backwardFrom(losses, ones).get(hidden)!;
      });
      return backend.read(found, { signal });
    });
    await stream.set(window, backend.upload(gradient));
    onWindow();
  }
}

/** Measures one layer, and moves the gradients from what leaves it to what enters it. */
async function differentiateLayer(
  { config, backend, settings, windows, choices, signal }: GradientPassOptions,
  weights: LayerWeights,
  inputs: ActivationStream,
  gradients: ActivationStream,
  onWindow: () => void,
): Promise<LayerMoments> {
  const length = windows[0].length;
  const places = layerPlaces(config, settings, length);
  using runner = createRunner(backend);
  using workspace = createWorkspace(runner);
  using moments = createMoments(runner, { config, settings, length, places, choices });
  const float = { ...settings, weightBits: FLOAT_BITS };
  const layer = prepareTapeLayer(runner, { config, weights, settings: float, length }, moments.carry);
  for (let window = 0; window < windows.length; window++) {
    signal?.throwIfAborted();
    const dy = await gradients.use(window, (y) => backend.read(y, { signal }));
    const dx = await inputs.use(window, async (input) => {
      using tape = createTape(workspace);
      const found = backend.abortable(signal, () => {
        const x = tape.parameter(input);
        const all = tape.backwardFrom(layer.forward(tape, new Map(), x), dy);
        moments.add(all);
        return all.get(x)!;
      });
      return backend.read(found, { signal });
    });
    await gradients.set(window, backend.upload(dx));
    onWindow();
  }
  return await moments.read();
}
