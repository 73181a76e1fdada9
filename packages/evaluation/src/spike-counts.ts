import {
  createRunner,
  gatherOrder,
  SpikeError,
  type DeviceTensor,
  type PreparedKernel,
  type Runner,
} from '@spikellm/backend';
import {
  FLOAT_BITS,
  hostTensor,
  inputSites,
  readSteps,
  stepClasses,
  type Decoder,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { cutWindows } from './windows.ts';

/** Which spikes are looked at, and of which text. */
export interface SpikeCountOptions {
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

/** One encoding of an input: linears of a site with the same salient channels share it. */
export interface Encoding {
  readonly layer: number;
  /** The spike site: `qkv`, `o`, `gate_up`, `down`. */
  readonly group: string;
  /** The linears that read it, such as `self_attn.q_proj`. */
  readonly linears: readonly string[];
  /** T of each channel, [C]. */
  readonly steps: Uint8Array;
}

/** Sums over the tokens of a text, each [C]. */
export interface ChannelCounts extends Encoding {
  /** Codes, the levels of all steps together before a step runs full. */
  readonly codes: Float64Array;
  /** Levels emitted. They are fewer than `codes` where a code of the published range exceeds what T steps carry. */
  readonly levels: Float64Array;
  /** Steps that emit something. */
  readonly events: Float64Array;
}

export interface SpikeCounts {
  readonly tokens: number;
  readonly windows: number;
  readonly encodings: readonly ChannelCounts[];
}

/**
 * Counts the spikes that a text sets off at the inputs of a spiking decoder's linears, channel by channel. Holds the
 * codes of one window at a time.
 * Errors: UNSUPPORTED for a decoder whose activations are float, INVALID_ARGUMENT as `cutWindows`.
 */
export async function countSpikes(
  decoder: Decoder,
  ids: readonly number[],
  { tensors, signal, onProgress, ...options }: SpikeCountOptions,
): Promise<SpikeCounts> {
  const windows = cutWindows(ids, options);
  const { activations } = requireSpikes(decoder.spiking);
  using runner = createRunner(decoder.backend);
  const encodings = await prepareEncodings(decoder, runner, tensors, activations, signal);
  const counts = new Map(encodings.map((encoding) => [encoding, noCounts(encoding)]));
  for (const [index, window] of windows.entries()) {
    signal?.throwIfAborted();
    for await (const [encoding, codes] of encodeInputs(decoder, runner, encodings, window, signal)) {
      tally(counts.get(encoding)!, encoding.order, codes, activations.bits);
    }
    onProgress?.(index + 1, windows.length);
  }
  return {
    tokens: windows.length * options.window,
    windows: windows.length,
    encodings: [...counts.values()],
  };
}

/** The spikes of one token at one input. */
export interface TokenSpikes extends Encoding {
  /** Code of each channel, [C]: `unroll` of @spikellm/neurons makes the train of it. */
  readonly codes: readonly number[];
}

/**
 * The codes of the last of some tokens at every input of a spiking decoder's linears.
 *
 * @param ids - token ids; the last one is looked at, those before it are its context
 * Errors: UNSUPPORTED for a decoder whose activations are float, INVALID_ARGUMENT for no tokens or too many.
 */
export async function tokenSpikes(
  decoder: Decoder,
  ids: readonly number[],
  { tensors, signal }: Pick<SpikeCountOptions, 'tensors' | 'signal'>,
): Promise<TokenSpikes[]> {
  const { activations } = requireSpikes(decoder.spiking);
  using runner = createRunner(decoder.backend);
  const encodings = await prepareEncodings(decoder, runner, tensors, activations, signal);
  const result: TokenSpikes[] = [];
  for await (const [encoding, gathered] of encodeInputs(decoder, runner, encodings, ids, signal)) {
    const { layer, group, linears, steps, order } = encoding;
    const codes = Array.from(steps, () => 0);
    gathered.subarray(gathered.length - order.length).forEach((code, i) => (codes[order[i]] = code));
    result.push({ layer, group, linears, steps, codes });
  }
  return result;
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

interface PreparedEncoding extends Encoding {
  readonly linears: string[];
  readonly kernel: PreparedKernel<'gif_encode_f32'>;
  /** Channels in the order of the codes. */
  readonly order: Int32Array;
}

async function prepareEncodings(
  { model }: Decoder,
  runner: Runner,
  tensors: TensorSource,
  { bits, range }: SpikingConfig['activations'],
  signal?: AbortSignal,
): Promise<PreparedEncoding[]> {
  const encodings = new Map<string, PreparedEncoding>();
  for (const graph of model.layers) {
    const { prefix, index: layer } = graph;
    for (const { name: group, channels, readers } of inputSites(graph)) {
      for (const { name } of readers) {
        const steps = await readSteps(tensors, prefix + name, channels, signal);
        const key = `${layer} ${group} ${steps.join()}`;
        const shared = encodings.get(key);
        if (shared !== undefined) {
          shared.linears.push(name);
          continue;
        }
        const attributes = { bits, range, classes: stepClasses(steps) };
        const kernel = runner.prepare('gif_encode_f32', attributes, { steps: hostTensor('uint8', steps) });
        encodings.set(key, { layer, group, linears: [name], steps, kernel, order: gatherOrder(steps) });
      }
    }
  }
  return [...encodings.values()];
}

/** Runs one window and gives the codes [N, C] of every encoding, channels in its order. */
async function* encodeInputs(
  decoder: Decoder,
  runner: Runner,
  encodings: readonly PreparedEncoding[],
  window: readonly number[],
  signal: AbortSignal | undefined,
): AsyncGenerator<[PreparedEncoding, Uint8Array | Uint16Array]> {
  const seen: { encoding: PreparedEncoding; codes: DeviceTensor }[] = [];
  const input = (layer: number, group: string, x: DeviceTensor): void => {
    for (const encoding of encodings) {
      if (encoding.layer !== layer || encoding.group !== group) continue;
      const { codes, scale, zero } = runner.apply(encoding.kernel, { x });
      scale.dispose();
      zero.dispose();
      seen.push({ encoding, codes });
    }
  };
  using cache = decoder.createCache(window.length);
  try {
    decoder.forward(window, cache, { logits: 'last', observers: { input }, signal }).dispose();
    for (const { encoding, codes } of seen) {
      yield [encoding, (await decoder.backend.read(codes, { signal })).data as Uint8Array | Uint16Array];
    }
  } finally {
    for (const { codes } of seen) codes.dispose();
  }
}

const noCounts = ({ layer, group, linears, steps }: Encoding): ChannelCounts => ({
  layer,
  group,
  linears,
  steps,
  codes: new Float64Array(steps.length),
  levels: new Float64Array(steps.length),
  events: new Float64Array(steps.length),
});

/** Adds codes [N, C] of channels in this order. */
function tally(
  { steps, ...sums }: ChannelCounts,
  order: Int32Array,
  codes: Uint8Array | Uint16Array,
  bits: number,
): void {
  const most = 2 ** bits - 1;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    const channel = order[i % order.length];
    const T = steps[channel];
    sums.codes[channel] += code;
    sums.levels[channel] += Math.min(code, T * most);
    sums.events[channel] += Math.min(T, Math.ceil(code / most));
  }
}
