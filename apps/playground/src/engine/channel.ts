/** One channel of one input: its activations over the calibration text, and what encoding does to them. */
import {
  createRunner,
  SpikeError,
  type Backend,
  type DeviceTensor,
  type GifFormat,
  type GifRange,
} from '@spikellm/backend';
import { FLOAT_BITS, hostTensor, inputSites, loadDecoder, stepClasses, type Decoder } from '@spikellm/graph';
import type { LayerInput } from './spiking.ts';
import { pipelineInput, type StatisticsRequest } from './statistics.ts';
import { calibrationWindows } from './windows.ts';
import type { OpenModel, Workbench } from './workbench.ts';

export interface ChannelRequest extends LayerInput {
  readonly channel: number;
  readonly statistics: StatisticsRequest;
  /** T of the channel. */
  readonly steps: number;
  /** Bits of a spike; 16 where activations stay in float. */
  readonly bits: number;
  readonly range: GifRange;
}

export interface ChannelView {
  readonly request: ChannelRequest;
  /** Tokens of the calibration windows. */
  readonly tokens: number;
  /** Mean of x^2. */
  readonly power: number;
  /** Bounds of the bins of both histograms, one more than bins. */
  readonly edges: Float64Array;
  /** Tokens in each bin: of x, and of decode(encode(x)) with the steps of this channel. */
  readonly before: Float64Array;
  readonly after: Float64Array;
  /** Mean of (decode(encode(x)) - x)^2 with these steps and with others; none where activations stay in float. */
  readonly errors: readonly { readonly steps: number; readonly meanSquare: number }[];
}

/** Numbers of steps that are compared. */
const STEPS = [1, 2, 4];
const BINS = 72;

export async function lookAtChannel(
  workbench: Workbench,
  request: ChannelRequest,
  signal: AbortSignal,
): Promise<ChannelView> {
  const { layer, group, channel, steps, bits, range } = request;
  const inputs = await inputsOf(workbench, request, signal);
  const channels = inputs.data.length / inputs.tokens;
  if (!(channel >= 0 && channel < channels)) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: `channel of layer ${layer}, ${group}`,
      expected: `one from 0 to ${channels - 1}`,
      received: String(channel),
    });
  }
  const triples = rangesWith(channel, inputs);
  const x = triples.filter((_, i) => i % 3 === 2);
  const decoded = new Map<number, Float32Array>();
  for (const T of bits < FLOAT_BITS ? new Set([...STEPS, steps]) : [])
    decoded.set(T, await roundTrip(workbench.backend(), triples, T, { bits, range }, signal));
  const after = decoded.get(steps) ?? x;
  const edges = edgesOf(x, after);
  return {
    request,
    tokens: inputs.tokens,
    power: meanOf(x, (value) => value ** 2),
    edges,
    before: histogram(x, edges),
    after: histogram(after, edges),
    errors: Array.from(decoded, ([T, y]) => ({
      steps: T,
      meanSquare: meanOf(y, (value, i) => (value - x[i]) ** 2),
    })).toSorted((a, b) => a.steps - b.steps),
  };
}

/**
 * Smallest, largest and one more value of each token, [N, 3]. Only its range and itself decide what becomes of a value, so
 * that the kernel encodes it among these three as it does in the full row.
 */
function rangesWith(channel: number, { data, tokens }: Inputs): Float32Array {
  const channels = data.length / tokens;
  const triples = new Float32Array(3 * tokens);
  for (let n = 0; n < tokens; n++) {
    const row = data.subarray(n * channels, (n + 1) * channels);
    triples.set([Math.min(...row), Math.max(...row), row[channel]], 3 * n);
  }
  return triples;
}

/** decode(encode(x)) of the third of each three values, [N]. */
async function roundTrip(
  backend: Backend,
  triples: Float32Array,
  T: number,
  { bits, range }: GifFormat,
  signal: AbortSignal,
): Promise<Float32Array> {
  using runner = createRunner(backend);
  const steps = Uint8Array.of(T, T, T);
  const attributes = { bits, range, classes: stepClasses(steps) };
  const constants = { steps: hostTensor('uint8', steps) };
  const encode = runner.prepare('gif_encode_f32', attributes, constants);
  const decode = runner.prepare('gif_decode_f32', attributes, constants);
  const x = runner.upload(hostTensor('float32', triples, [triples.length / 3, 3]));
  using y = runner.scope(() => runner.apply(decode, { ...runner.apply(encode, { x }) }).y);
  const { data } = await backend.read(y, { signal });
  return (data as Float32Array).filter((_, i) => i % 3 === 2);
}

/** What enters the linears of a site, all calibration windows after each other. */
interface Inputs {
  /** [N, C]. */
  readonly data: Float32Array;
  /** N. */
  readonly tokens: number;
}

/** The input that was looked at last, since the next look is often at its neighbour. */
const lastInputs = new WeakMap<OpenModel, { readonly key: string; readonly inputs: Inputs }>();

async function inputsOf(
  workbench: Workbench,
  { layer, group, statistics }: ChannelRequest,
  signal: AbortSignal,
): Promise<Inputs> {
  const float = workbench.model('float');
  const key = JSON.stringify([workbench.backend().report.device, layer, group, statistics]);
  const last = lastInputs.get(float);
  if (last?.key === key) return last.inputs;
  const windows = await calibrationWindows(float, statistics);
  const read = (decoder: Decoder): Promise<Inputs> =>
    readInputs(workbench, decoder, windows, { layer, group }, signal);
  let inputs: Inputs;
  if (statistics.rotate === 'none') inputs = await read(await workbench.decoder('float', signal));
  else {
    const backend = workbench.backend();
    using rotated = await loadDecoder({ ...pipelineInput(workbench, statistics), backend, signal });
    inputs = await read(rotated);
  }
  lastInputs.set(float, { key, inputs });
  return inputs;
}

async function readInputs(
  workbench: Workbench,
  decoder: Decoder,
  windows: readonly (readonly number[])[],
  { layer, group }: LayerInput,
  signal: AbortSignal,
): Promise<Inputs> {
  const { backend, model } = decoder;
  const { length } = windows[0];
  const { channels } = inputSites(model.layers[layer]).find(({ name }) => name === group)!;
  const size = length * channels;
  const data = new Float32Array(windows.length * size);
  using runner = createRunner(backend);
  using cache = decoder.createCache(length);
  const ids = runner.upload(
    hostTensor(
      'int32',
      Int32Array.from({ length }, (_, n) => n),
    ),
  );
  for (const [window, tokens] of windows.entries()) {
    signal.throwIfAborted();
    workbench.report('reading activations', window, windows.length);
    cache.reset();
    const copies: DeviceTensor[] = [];
    const observers = {
      input(at: number, site: string, x: DeviceTensor): void {
        // The tensor ends with the call; its rows taken in order are a copy.
        if (at === layer && site === group) copies.push(runner.run('embedding_f32', { ids, table: x }).y);
      },
    };
    decoder.forward(tokens, cache, { observers, logits: 'last', signal }).dispose();
    using copy = copies[0];
    data.set((await backend.read(copy, { signal })).data as Float32Array, window * size);
  }
  return { data, tokens: windows.length * length };
}

const meanOf = (values: Float32Array, of: (value: number, index: number) => number): number =>
  values.reduce((sum, value, i) => sum + of(value, i), 0) / values.length;

/** Bounds of equal bins over two sets of values. */
function edgesOf(...all: readonly Float32Array[]): Float64Array {
  let [least, most] = [Infinity, -Infinity];
  for (const values of all) {
    for (const value of values) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  if (least === most) [least, most] = [least - 0.5, most + 0.5];
  return Float64Array.from({ length: BINS + 1 }, (_, i) => least + ((most - least) * i) / BINS);
}

function histogram(values: Float32Array, edges: Float64Array): Float64Array {
  const counts = new Float64Array(BINS);
  const [least, most] = [edges[0], edges[BINS]];
  for (const value of values)
    counts[Math.min(BINS - 1, Math.floor(((value - least) / (most - least)) * BINS))] += 1;
  return counts;
}
