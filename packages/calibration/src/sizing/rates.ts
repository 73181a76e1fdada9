/** Short measurements of what a backend does in a second, on a small layer of the model's proportions. */
import type { Backend, HostTensor } from '@spikellm/backend';
import { hostTensor, layerLinears, type DecoderConfig, type LayerWeights } from '@spikellm/graph';
import { encodeLayer } from '../encode.ts';
import { runLayer } from '../layer-pass.ts';
import { initialParameters } from '../omniquant/parameters.ts';
import { trainLayer } from '../omniquant/train.ts';
import type { QuantizeSettings } from '../settings.ts';
import { uniformSteps } from '../steps.ts';
import { createStreams } from '../streams.ts';
import { watchLayer, watchSizes, type Watcher } from '../watch.ts';
import { measureCompensation, type CompensationRates } from './compensation-rates.ts';
import { layerParameters } from './memory.ts';
import { randomMatrix } from './random-matrix.ts';

/** Seconds per token and weight of a layer, but for encoding, which is per weight. */
export interface Rates extends CompensationRates {
  readonly forward: number;
  /** A pass that scores the channels of every linear. */
  readonly scored: number;
  /** A forward and a backward pass and an update. */
  readonly training: number;
  readonly encoding: number;
}

/** The probe is no larger than this many weights, and no larger than the model's layer. */
const MOST_WEIGHTS = 2 ** 22;
const WINDOWS = 3;

/** Errors: those of the backend; rejects with the signal's reason. */
export async function measureRates(
  backend: Backend,
  model: DecoderConfig,
  settings: QuantizeSettings,
  length: number,
  signal?: AbortSignal,
): Promise<Rates> {
  const config = proportional(model);
  const weights = randomLayer(config);
  const size = layerParameters(config);
  const windows = Array.from({ length: WINDOWS }, () => Array.from({ length }, () => 0));
  const options = { backend, config, windows, signal };
  const { inputs, targets } = await createStreams(options, ['inputs', 'targets']);
  try {
    for (const stream of [inputs, targets]) {
      for (let window = 0; window < WINDOWS; window++) {
        await stream.set(window, backend.upload(randomMatrix(length, config.hiddenSize, 1, window)));
      }
    }
    const pass = async (watch: Watcher<unknown> | undefined): Promise<number> => {
      const times: number[] = [];
      const onWindow = (): void => void times.push(performance.now());
      await runLayer({ ...options, onWindow }, 0, weights, { from: inputs, watch });
      return meanGap(times) / (length * size);
    };
    const sizes = await runLayer(options, 0, weights, { from: inputs, watch: watchSizes });
    const steps = uniformSteps(config, settings, 1);
    const training = { ...settings.training, epochs: 1, augmentedLoss: false };
    const updates: number[] = [];
    await trainLayer({
      ...options,
      weights,
      steps,
      settings,
      training,
      parameters: initialParameters(weights, config, sizes!.absmax, training),
      length,
      windows: WINDOWS,
      inputs,
      targets: [targets],
      where: 'probe',
      onStep: () => updates.push(performance.now()),
    });
    const began = performance.now();
    await encodeLayer(0, weights, steps, settings.weightBits, undefined, signal);
    const encoding = (performance.now() - began) / 1000 / size;
    return {
      forward: await pass(undefined),
      scored: await pass(watchLayer),
      training: meanGap(updates) / (length * size),
      encoding,
      ...(await measureCompensation(backend, config, settings, length, signal)),
    };
  } finally {
    for (const stream of [inputs, targets]) await stream[Symbol.asyncDispose]();
  }
}

/** Seconds between two moments, on average. */
const meanGap = (times: readonly number[]): number => (times.at(-1)! - times[0]) / 1000 / (times.length - 1);

/** The config with fewer heads of the same size, and the MLP in proportion. */
function proportional(config: DecoderConfig): DecoderConfig {
  const group = config.heads / config.kvHeads;
  const share = Math.min(1, Math.sqrt(MOST_WEIGHTS / layerParameters(config)));
  const kvHeads = Math.max(1, Math.floor(config.kvHeads * share));
  const heads = kvHeads * group;
  const scale = heads / config.heads;
  return {
    ...config,
    kvHeads,
    heads,
    hiddenSize: Math.round(config.hiddenSize * scale),
    intermediateSize: Math.max(1, Math.round(config.intermediateSize * scale)),
  };
}

function randomLayer(config: DecoderConfig): LayerWeights {
  const ones = (): HostTensor => hostTensor('float32', new Float32Array(config.hiddenSize).fill(1));
  return {
    inputNorm: ones(),
    mlpNorm: ones(),
    linears: layerLinears(config, 0).map((entry, i) => ({
      entry,
      weight: randomMatrix(entry.outputs, entry.inputs, Math.sqrt(3 / entry.inputs), i),
      bias: undefined,
    })),
  };
}
