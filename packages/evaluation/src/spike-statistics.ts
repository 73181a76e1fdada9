import {
  createRunner,
  SpikeError,
  type DeviceTensor,
  type PreparedKernel,
  type Runner,
} from '@spikellm/backend';
import {
  FLOAT_BITS,
  hostTensor,
  layerLinears,
  readSteps,
  stepClasses,
  type Decoder,
  type LinearGroup,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { cutWindows } from './windows.ts';

export interface SpikeStatisticsOptions {
  /** The tensors the decoder was loaded from: they say how many steps each channel has. */
  readonly tensors: TensorSource;
  /** Tokens in a window; each window starts without context. */
  readonly window: number;
  /** Windows at most; the default is all that fit. */
  readonly maxWindows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** How a set of activations fires, as trains of T steps that each emit 0..2^n - 1, greedy from the code. */
export interface SpikeRates {
  /** Spike levels emitted in a step, over the 2^n - 1 it could emit: 0 to 1. */
  readonly firingRate: number;
  /** Fraction of the steps that emit nothing. */
  readonly silent: number;
  /** Mean steps of a channel. */
  readonly averageSteps: number;
  /** Mean code of an activation: the levels of all its steps together. */
  readonly averageCode: number;
}

export interface SpikeStatistics extends SpikeRates {
  /** Tokens that were run. */
  readonly tokens: number;
  readonly windows: number;
  /** One entry for each encoding of an input: linears of a group with the same salient channels share one. */
  readonly inputs: readonly (SpikeRates & {
    readonly layer: number;
    readonly group: LinearGroup;
    /** The linears that read it, such as `self_attn.q_proj`. */
    readonly linears: readonly string[];
  })[];
}

/**
 * Counts the spikes that a text sets off at the inputs of a spiking decoder's linears.
 *
 * Holds the codes of one window at a time. In the `published` range a code may exceed what T steps can carry; then all
 * steps emit their largest level.
 * Errors: UNSUPPORTED for a decoder whose activations are float, INVALID_ARGUMENT as `cutWindows`.
 *
 * @param ids - token ids of the text
 */
export async function spikeStatistics(
  decoder: Decoder,
  ids: readonly number[],
  { tensors, signal, onProgress, ...options }: SpikeStatisticsOptions,
): Promise<SpikeStatistics> {
  const windows = cutWindows(ids, options);
  const { activations } = requireSpikes(decoder.spiking);
  using runner = createRunner(decoder.backend);
  using cache = decoder.createCache(options.window);
  const encodings = await prepareEncodings(decoder, runner, tensors, activations, signal);
  for (const [index, window] of windows.entries()) {
    signal?.throwIfAborted();
    const seen: { encoding: Encoding; codes: DeviceTensor }[] = [];
    cache.reset();
    const linearInput = (layer: number, group: LinearGroup, x: DeviceTensor): void => {
      for (const encoding of encodings) {
        if (encoding.layer !== layer || encoding.group !== group) continue;
        const { codes, scale, zero } = runner.apply(encoding.kernel, { x });
        scale.dispose();
        zero.dispose();
        seen.push({ encoding, codes });
      }
    };
    decoder.forward(window, cache, { logits: 'last', taps: { linearInput }, signal }).dispose();
    try {
      for (const { encoding, codes } of seen) {
        tally(encoding, (await decoder.backend.read(codes, { signal })).data as Uint8Array, activations.bits);
      }
    } finally {
      for (const { codes } of seen) codes.dispose();
    }
    onProgress?.(index + 1, windows.length);
  }
  const { bits } = activations;
  return {
    ...rates(sumOf(encodings.map(({ counts }) => counts)), bits),
    tokens: windows.length * options.window,
    windows: windows.length,
    inputs: encodings.map(({ layer, group, linears, counts }) => ({
      layer,
      group,
      linears,
      ...rates(counts, bits),
    })),
  };
}

function requireSpikes(spiking: SpikingConfig | undefined): SpikingConfig {
  if (spiking !== undefined && spiking.activations.bits < FLOAT_BITS) return spiking;
  throw new SpikeError('UNSUPPORTED', {
    where: 'spike statistics',
    expected: 'a decoder whose activations spike',
    received: 'one with activations in float',
    remedy: 'quantise the model first, with fewer than 16 activation bits',
  });
}

/** Sums over activations. */
interface Counts {
  activations: number;
  steps: number;
  codes: number;
  levels: number;
  silentSteps: number;
}

interface Encoding {
  readonly layer: number;
  readonly group: LinearGroup;
  readonly linears: string[];
  readonly kernel: PreparedKernel<'gif_encode_f32'>;
  /** Steps of each channel in the order of the codes: rising. */
  readonly gatheredSteps: Uint8Array;
  readonly counts: Counts;
}

async function prepareEncodings(
  { config }: Decoder,
  runner: Runner,
  tensors: TensorSource,
  { bits, range }: SpikingConfig['activations'],
  signal?: AbortSignal,
): Promise<Encoding[]> {
  const encodings = new Map<string, Encoding>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const { name, prefix, group, inputs } of layerLinears(config, layer)) {
      const steps = await readSteps(tensors, prefix, inputs, signal);
      const key = `${layer} ${group} ${steps.join()}`;
      const shared = encodings.get(key);
      if (shared !== undefined) {
        shared.linears.push(name);
        continue;
      }
      const classes = stepClasses(steps);
      const kernel = runner.prepare(
        'gif_encode_f32',
        { bits, range, classes },
        { steps: hostTensor('uint8', steps) },
      );
      const gatheredSteps = steps.toSorted();
      encodings.set(key, { layer, group, linears: [name], kernel, gatheredSteps, counts: noCounts() });
    }
  }
  return [...encodings.values()];
}

const noCounts = (): Counts => ({ activations: 0, steps: 0, codes: 0, levels: 0, silentSteps: 0 });

/** Adds codes [N, C]. */
function tally({ gatheredSteps, counts }: Encoding, codes: Uint8Array | Uint16Array, bits: number): void {
  const most = 2 ** bits - 1;
  const channels = gatheredSteps.length;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    const steps = gatheredSteps[i % channels];
    counts.steps += steps;
    counts.codes += code;
    counts.levels += Math.min(code, steps * most);
    counts.silentSteps += Math.max(0, steps - Math.ceil(code / most));
  }
  counts.activations += codes.length;
}

function sumOf(all: readonly Counts[]): Counts {
  const total = noCounts();
  for (const counts of all) {
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name];
  }
  return total;
}

const rates = ({ activations, steps, codes, levels, silentSteps }: Counts, bits: number): SpikeRates => ({
  firingRate: levels / steps / (2 ** bits - 1),
  silent: silentSteps / steps,
  averageSteps: steps / activations,
  averageCode: codes / activations,
});
