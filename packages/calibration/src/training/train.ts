/** Trains the parameters of one layer so that its spiking version reproduces the float layer's outputs. */
import {
  constantRate,
  cosineRate,
  createAdamW,
  createTape,
  createWorkspace,
  type Schedule,
  type Workspace,
} from '@spikellm/autograd';
import { createRunner, SpikeError, type Backend, type DeviceTensor } from '@spikellm/backend';
import type { ActivationStream } from '../streams.ts';
import {
  namedParameters,
  prepareTrainingLayer,
  type TrainingLayer,
  type TrainingLayerOptions,
} from './tape-layer.ts';
import { truncateScales, type LayerParameters } from './parameters.ts';
import type { TrainingSettings } from './settings.ts';

export interface TrainLayerOptions extends TrainingLayerOptions {
  readonly backend: Backend;
  readonly training: TrainingSettings;
  /** Changed in place. */
  readonly parameters: LayerParameters;
  readonly windows: number;
  /** What the spiking model hands to this layer. */
  readonly inputs: ActivationStream;
  /** What the float model makes of this layer; with `augmentedLoss` a second one, see there. */
  readonly targets: readonly ActivationStream[];
  /** Names the layer in an error. */
  readonly where: string;
  readonly signal?: AbortSignal | undefined;
  /** Called after each epoch with the mean of its losses. */
  readonly onEpoch?: ((epoch: number, loss: number) => Promise<void>) | undefined;
  /** Called after each update with its loss, before the update. */
  readonly onStep?: ((loss: number, gradients: ReadonlyMap<string, Float32Array>) => void) | undefined;
}

/**
 * One window an update, in order, AdamW without decay: loss = mean (target - out)^2, as OmniQuant (arXiv 2308.13137). A
 * loss or gradient that is not finite takes back the last update and tries again at half the rates, once.
 *
 * Errors: NOT_FINITE the second time, naming layer, epoch, window and tensor; rejects with the signal's reason.
 */
export async function trainLayer(options: TrainLayerOptions): Promise<void> {
  const { backend, training, parameters, windows, signal, where, onEpoch, onStep } = options;
  using runner = createRunner(backend);
  using workspace = createWorkspace(runner);
  const layer = prepareTrainingLayer(runner, options);
  const vectors = namedParameters(parameters);
  const optimisers = new Map([...vectors].map(([name, vector]) => [name, createAdamW(vector)]));
  const rates = learningRates(training, training.epochs * windows);
  let lastGood: Map<string, Float32Array> | undefined;
  let halved = 1;

  for (let epoch = 0; epoch < training.epochs; epoch++) {
    let sum = 0;
    for (let window = 0; window < windows; window++) {
      signal?.throwIfAborted();
      truncateScales(parameters);
      const { loss, gradients } = await lossAndGradients(options, workspace, layer, window);
      const wrong = notFiniteAmong([['the loss', [loss]], ...gradientsOf(gradients)]);
      if (wrong !== undefined) {
        if (halved < 1 || lastGood === undefined) {
          throw diverged(where, epoch, window, (await notFiniteBefore(options, window)) ?? wrong);
        }
        halved = 0.5;
        for (const [name, values] of lastGood) vectors.get(name)!.set(values);
        window -= 1;
        continue;
      }
      onStep?.(loss, gradients);
      sum += loss;
      lastGood = new Map([...vectors].map(([name, vector]) => [name, vector.slice()]));
      const update = epoch * windows + window;
      for (const [name, gradient] of gradients) {
        optimisers.get(name)!.step(gradient, halved * rates(name)(update));
      }
    }
    await onEpoch?.(epoch, sum / windows);
  }
  truncateScales(parameters);
}

function learningRates(
  { schedule, scaleRate, clippingRate }: TrainingSettings,
  updates: number,
): (name: string) => Schedule {
  const rate = (value: number): Schedule =>
    schedule === 'cosine' ? cosineRate(value, updates) : constantRate(value);
  const [scales, clipping] = [rate(scaleRate), rate(clippingRate)];
  return (name) => (name.includes('.') ? clipping : scales);
}

async function lossAndGradients(
  { backend, parameters, inputs, targets, signal }: TrainLayerOptions,
  workspace: Workspace,
  layer: TrainingLayer,
  window: number,
): Promise<{ loss: number; gradients: ReadonlyMap<string, Float32Array> }> {
  using tape = createTape(workspace);
  const values = new Map(
    [...namedParameters(parameters)].map(([name, data]) => [
      name,
      tape.parameter({ type: 'float32', data, dims: [data.length] }),
    ]),
  );
  return await useAll([inputs, ...targets], window, async ([x, ...wanted]) => {
    const [losses, byValue] = backend.abortable(signal, () => {
      const out = layer.forward(tape, values, tape.constant(x));
      const each = wanted.map((target) => tape.squaredError(out, target));
      return [each, tape.backward(...each)];
    });
    const read = async (tensor: DeviceTensor): Promise<Float32Array> =>
      (await backend.read(tensor, { signal })).data as Float32Array;
    const gradients = new Map<string, Float32Array>();
    for (const [name, value] of values) gradients.set(name, await read(byValue.get(value)!));
    let loss = 0;
    for (const { tensor } of losses) loss += mean(await read(tensor));
    return { loss, gradients };
  });
}

/** Runs `body` on one window's activations of several streams. */
function useAll<T>(
  [stream, ...rest]: readonly ActivationStream[],
  window: number,
  body: (tensors: DeviceTensor[]) => Promise<T>,
): Promise<T> {
  return stream === undefined
    ? body([])
    : stream.use(window, (x) => useAll(rest, window, (others) => body([x, ...others])));
}

const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

type Named = readonly [name: string, values: ArrayLike<number>];

const gradientsOf = (gradients: ReadonlyMap<string, Float32Array>): Named[] =>
  [...gradients].map(([name, gradient]) => [`the gradient of ${name}`, gradient]);

/** The first tensor that has a value that is not finite, and that value. */
function notFiniteAmong(tensors: readonly Named[]): string | undefined {
  for (const [name, values] of tensors) {
    const wrong = Array.prototype.find.call(values, (value: number) => !Number.isFinite(value));
    if (wrong !== undefined) return `${wrong} in ${name}`;
  }
  return undefined;
}

/** What is not finite of that which a loss is computed from. */
async function notFiniteBefore(
  { backend, parameters, inputs, targets }: TrainLayerOptions,
  window: number,
): Promise<string | undefined> {
  const read = async (name: string, stream: ActivationStream): Promise<Named> =>
    stream.use(window, async (x) => [name, (await backend.read(x)).data as Float32Array]);
  return notFiniteAmong([
    await read("the layer's input", inputs),
    ...(await Promise.all(targets.map((target) => read("the float layer's output", target)))),
    ...namedParameters(parameters),
  ]);
}

const diverged = (where: string, epoch: number, window: number, received: string): SpikeError =>
  new SpikeError('NOT_FINITE', {
    where: `${where}, epoch ${epoch + 1}, window ${window + 1}`,
    expected: 'a finite loss and gradients',
    received,
    remedy: 'train with lower rates, or inspect the weights and the calibration text',
  });
