/**
 * Gradients of the language-model loss at everything that spikes carry: forward once with the inputs of each layer
 * stored, then backward with one layer in memory at a time, each recomputed from its inputs.
 */
import {
  createTape,
  createWorkspace,
  prepareTapeGraph,
  type TapeHooks,
  type TapeWeight,
} from '@spikellm/autograd';
import { createRunner, type Backend } from '@spikellm/backend';
import {
  FLOAT_BITS,
  hostTensor,
  inArena,
  linearRows,
  nodesOf,
  normScale,
  readFloats,
  readLayer,
  readNorms,
  type HostArena,
  type LayerGraph,
  type LayerWeights,
  type ModelGraph,
  type TensorSource,
} from '@spikellm/graph';
import { embedWindows } from '../embed.ts';
import { runLayer } from '../layer-pass.ts';
import { observeSizes, type LayerSizes } from '../observers.ts';
import type { CommonSettings } from '../settings/settings.ts';
import { createStreams, type ActivationStream, type Spilling } from '../streams.ts';
import { prepareTapeLayer } from '../training/tape-layer.ts';
import { createMoments, type LayerMoments } from './moments.ts';
import { stepSites } from './step-sites.ts';

/** Folds scales into a layer; `allocate` has memory for new weights. */
export type FoldLayer = (
  weights: LayerWeights,
  layer: LayerGraph,
  sizes: LayerSizes,
  allocate: HostArena['allocate'],
) => LayerWeights;

export interface GradientPassOptions {
  readonly graph: ModelGraph;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly settings: CommonSettings;
  readonly windows: readonly (readonly number[])[];
  /** The layer as it will be encoded, where scales are folded into it; what it computes must not change. */
  readonly fold?: FoldLayer | undefined;
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
  const { graph, windows, fold, tensors, signal, onProgress } = options;
  const { layers } = graph;
  const total = (2 * layers.length + 1) * windows.length;
  let done = 0;
  const advance = (): void => onProgress?.(++done, total);
  const passing = { ...options, onWindow: advance };
  // One for what enters each layer, and one for what leaves the last, which then holds the gradients.
  const names = Array.from({ length: layers.length + 1 }, (_, index) => `layer-${index}`);
  const arena = inArena(tensors);
  const inputs = Object.values(await createStreams(options, names));
  try {
    await embedWindows(options, inputs[0]);
    const observed: (LayerSizes | undefined)[] = [];
    for (const layer of layers) {
      const weights = await readLayer(arena.tensors, layer, undefined, signal);
      const [from, to] = [inputs[layer.index], inputs[layer.index + 1]];
      const observe = fold && observeSizes;
      observed.push(await runLayer(passing, layer, weights, { from, to, observe }));
      arena.free();
    }
    const gradients = inputs[layers.length];
    await differentiateLoss(options, gradients, advance);
    const moments: LayerMoments[] = [];
    for (const layer of layers.toReversed()) {
      const weights = await readLayer(arena.tensors, layer, undefined, signal);
      const own = inputs[layer.index];
      const folded = fold ? fold(weights, layer, observed[layer.index]!, arena.allocate) : weights;
      moments.unshift(await differentiateLayer(options, layer, folded, own, gradients, advance));
      await own[Symbol.asyncDispose]();
      arena.free();
    }
    return moments;
  } finally {
    for (const stream of inputs) await stream[Symbol.asyncDispose]();
  }
}

/** Puts the gradient of each window's loss by what leaves the last layer in the place of that. */
async function differentiateLoss(
  options: GradientPassOptions,
  stream: ActivationStream,
  onWindow: () => void,
): Promise<void> {
  const { graph, backend, windows, signal } = options;
  using runner = createRunner(backend);
  const hooks = await headHooks(runner, options);
  const head = prepareTapeGraph(runner, graph.head, graph.rotary, windows[0].length);
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
        const logits = head.forward(tape, tape.embedding(rows, hidden), hooks);
        const losses = tape.crossEntropy(logits, targets);
        return tape.backwardFrom(losses, ones).get(hidden)!;
      });
      return backend.read(found, { signal });
    });
    await stream.set(window, backend.upload(gradient));
    onWindow();
  }
}

/** The weights of the head in float, on the device. */
async function headHooks(
  runner: ReturnType<typeof createRunner>,
  { graph: { head }, tensors, signal }: GradientPassOptions,
): Promise<TapeHooks> {
  const arena = inArena(tensors);
  const constant = (tensor: Parameters<typeof runner.upload>[0]) => ({
    tensor: runner.upload(tensor),
    requiresGrad: false,
  });
  const norms = new Map(
    [...(await readNorms(arena.tensors, head, '', signal))].map(([name, norm]) => [
      name,
      { weight: constant(normScale(norm)), bias: norm.bias && constant(norm.bias) },
    ]),
  );
  const linears = new Map<string, TapeWeight>();
  for (const node of nodesOf(head, 'linear')) {
    const { prefix, outputs, inputs } = linearRows('', node);
    const read = async (name: string, shape: number[]) =>
      constant(await readFloats(arena.tensors, `${prefix}.${name}`, shape, signal));
    linears.set(prefix, {
      weight: await read('weight', [outputs, inputs]),
      bias: node.bias ? await read('bias', [outputs]) : undefined,
    });
  }
  arena.free();
  return {
    norm: (_, { name }) => norms.get(name)!,
    linear: (_, { name }) => linears.get(name)!,
  };
}

/** Measures one layer, and moves the gradients from what leaves it to what enters it. */
async function differentiateLayer(
  { graph, backend, settings, windows, choices, signal }: GradientPassOptions,
  layer: LayerGraph,
  weights: LayerWeights,
  inputs: ActivationStream,
  gradients: ActivationStream,
  onWindow: () => void,
): Promise<LayerMoments> {
  const length = windows[0].length;
  const sites = stepSites(layer, settings, length);
  using runner = createRunner(backend);
  using workspace = createWorkspace(runner);
  using moments = createMoments(runner, { layer, settings, length, sites, choices });
  const float = { ...settings, weightBits: FLOAT_BITS };
  const onTape = prepareTapeLayer(runner, { graph, layer, weights, settings: float, length }, moments.carry);
  for (let window = 0; window < windows.length; window++) {
    signal?.throwIfAborted();
    const dy = await gradients.use(window, (y) => backend.read(y, { signal }));
    const dx = await inputs.use(window, async (input) => {
      using tape = createTape(workspace);
      const found = backend.abortable(signal, () => {
        const x = tape.parameter(input);
        const all = tape.backwardFrom(onTape.forward(tape, new Map(), x), dy);
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
