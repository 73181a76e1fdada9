/** Short measurements of what a backend does in a second, on a small layer of the model's proportions. */
import type { Backend } from '@spikellm/backend';
import type { ModelGraph } from '@spikellm/graph';
import { encodeLayer } from '../encode.ts';
import { runLayer } from '../layer-pass.ts';
import { observeLayer, observeSizes, type Observe } from '../observers.ts';
import { ownSettings, PIPELINES } from '../pipelines/index.ts';
import { roundLayer } from '../round.ts';
import { defaultsOf } from '../settings/fields.ts';
import type { QuantizeSettings } from '../settings/settings.ts';
import { uniformSteps } from '../steps.ts';
import { createStreams } from '../streams.ts';
import { initialParameters } from '../training/parameters.ts';
import { TRAINING_FIELDS } from '../training/settings.ts';
import { trainLayer } from '../training/train.ts';
import { largestLayer } from './memory.ts';
import { layerParameters, type Rates } from './pipeline-size.ts';
import { proportionalLayer, randomLayer } from './proportional.ts';
import { randomMatrix } from './random-matrix.ts';

export interface MeasuredRates {
  readonly common: Rates;
  /** What pipelines measured of their own work, by their names. */
  readonly own: ReadonlyMap<string, unknown>;
}

/** The probe is no larger than this many weights, and no larger than the model's layer. */
const MOST_WEIGHTS = 2 ** 22;
const WINDOWS = 3;

/** Errors: those of the backend; rejects with the signal's reason. */
export async function measureRates(
  backend: Backend,
  model: ModelGraph,
  settings: QuantizeSettings,
  length: number,
  signal?: AbortSignal,
): Promise<MeasuredRates> {
  const layer = proportionalLayer(largestLayer(model), MOST_WEIGHTS);
  const hiddenSize = layer.input.width;
  const graph = { ...model, config: { ...model.config, hiddenSize }, layers: [layer] };
  const weights = randomLayer(layer);
  const size = layerParameters(layer);
  const windows = Array.from({ length: WINDOWS }, () => Array.from({ length }, () => 0));
  const options = { backend, graph, windows, signal };
  const { inputs, targets } = await createStreams(options, ['inputs', 'targets']);
  try {
    for (const stream of [inputs, targets]) {
      for (let window = 0; window < WINDOWS; window++) {
        await stream.set(window, backend.upload(randomMatrix(length, hiddenSize, 1, window)));
      }
    }
    const pass = async (observe: Observe<unknown> | undefined): Promise<number> => {
      const times: number[] = [];
      const onWindow = (): void => void times.push(performance.now());
      await runLayer({ ...options, onWindow }, layer, weights, { from: inputs, observe });
      return meanGap(times) / (length * size);
    };
    const sizes = await runLayer(options, layer, weights, { from: inputs, observe: observeSizes });
    const steps = uniformSteps(layer, settings, 1);
    const training = { ...defaultsOf(TRAINING_FIELDS), epochs: 1 };
    const updates: number[] = [];
    await trainLayer({
      ...options,
      layer,
      weights,
      steps,
      settings,
      training,
      parameters: initialParameters(weights, layer, sizes!.absmax, training),
      length,
      windows: WINDOWS,
      inputs,
      targets: [targets],
      where: 'probe',
      onStep: () => updates.push(performance.now()),
    });
    const began = performance.now();
    encodeLayer(layer, await roundLayer(weights, settings.weightBits, undefined, signal), steps);
    const encoding = (performance.now() - began) / 1000 / size;
    const own = new Map<string, unknown>();
    for (const { name, size: each } of PIPELINES) {
      const mine = name === settings.pipeline ? settings : { ...settings, pipeline: name, options: {} };
      const probe = { ...options, layer, settings, own: ownSettings(mine), length };
      own.set(name, await each.measure?.(probe));
    }
    return {
      common: {
        forward: await pass(undefined),
        scored: await pass(observeLayer),
        training: meanGap(updates) / (length * size),
        encoding,
      },
      own,
    };
  } finally {
    for (const stream of [inputs, targets]) await stream[Symbol.asyncDispose]();
  }
}

/** Seconds between two moments, on average. */
const meanGap = (times: readonly number[]): number => (times.at(-1)! - times[0]) / 1000 / (times.length - 1);
