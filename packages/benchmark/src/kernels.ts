import {
  createRunner,
  packedBytes,
  type Backend,
  type DeviceTensor,
  type PreparedKernel,
  type Runner,
} from '@spikellm/backend';
import { hostTensor, stepClasses } from '@spikellm/graph';
import { randomBytes, randomFloats } from './random.ts';
import { spreadOfRounds, type Spread } from './spread.ts';
import { evenSteps } from './synthetic.ts';

export interface KernelOptions {
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Spike steps of the salient channels; 2 by default. */
  readonly steps?: number;
  /** Share of salient channels; 0.1 by default. */
  readonly salient?: number;
  readonly rounds: number;
  readonly signal?: AbortSignal;
}

const BITS = 4;
/** What one token reads comes from memory, not from a cache: weights of so many bytes, in at most so many matrices. */
const STREAMED_BYTES = 2 ** 28;
const MOST_MATRICES = 64;
/** A round lasts about so long. */
const ROUND_SECONDS = 0.15;

/** Spiking linear of many tokens, W4A4: dense integer operations (a product and a sum are two) per second, in 10^9. */
export async function spikingLinearRate(backend: Backend, options: KernelOptions): Promise<Spread> {
  const { tokens, inputs, outputs } = options;
  using runner = createRunner(backend);
  const { x, encode, linears } = prepareSpiking(runner, options, 1);
  const coded = runner.scope(() => runner.apply(encode, { x }));
  using y = backend.allocate('float32', [tokens, outputs]);
  const seconds = await secondsPerRun(backend, options, () =>
    backend.dispatch(linears[0], { ...coded, y }, {}),
  );
  for (const tensor of Object.values(coded)) tensor.dispose();
  return scaled(seconds, 2 * tokens * inputs * outputs);
}

/** Spiking linear of one token, encoding included, over matrices beyond the caches: packed 4-bit weights in GB/s. */
export async function weightStreamRate(backend: Backend, options: KernelOptions): Promise<Spread> {
  const { inputs, outputs } = options;
  const matrixBytes = outputs * packedBytes(inputs, BITS);
  const count = Math.min(MOST_MATRICES, Math.ceil(STREAMED_BYTES / matrixBytes));
  using runner = createRunner(backend);
  const { x, encode, linears } = prepareSpiking(runner, { ...options, tokens: 1 }, count);
  using y = backend.allocate('float32', [1, outputs]);
  const seconds = await secondsPerRun(backend, options, () =>
    runner.scope(() => {
      const coded = runner.apply(encode, { x });
      for (const linear of linears) backend.dispatch(linear, { ...coded, y }, {});
    }),
  );
  return scaled(seconds, count * matrixBytes);
}

/** Float matrix product: a product and a sum are two operations, in 10^9 per second. */
export async function floatLinearRate(backend: Backend, options: KernelOptions): Promise<Spread> {
  const { tokens, inputs, outputs } = options;
  using runner = createRunner(backend);
  const x = runner.upload(hostTensor('float32', randomFloats(tokens * inputs, 1), [tokens, inputs]));
  const weight = runner.upload(hostTensor('float32', randomFloats(outputs * inputs, 2), [outputs, inputs]));
  const linear = runner.prepare('linear_f32', {}, {});
  using y = backend.allocate('float32', [tokens, outputs]);
  const seconds = await secondsPerRun(backend, options, () => backend.dispatch(linear, { x, weight, y }, {}));
  return scaled(seconds, 2 * tokens * inputs * outputs);
}

interface Spiking {
  readonly x: DeviceTensor;
  readonly encode: PreparedKernel<'gif_encode_f32'>;
  readonly linears: readonly PreparedKernel<'linear_codes_f32'>[];
}

/** Random activations [tokens, inputs] and `count` matrices [outputs, inputs] that read their codes. */
function prepareSpiking(
  runner: Runner,
  { tokens, inputs, outputs, steps = 2, salient = 0.1 }: KernelOptions,
  count: number,
): Spiking {
  const channelSteps = hostTensor('uint8', evenSteps(inputs, salient, steps));
  const gif = {
    bits: BITS,
    range: 'lossless',
    classes: stepClasses(channelSteps.data as Uint8Array),
  } as const;
  const rowBytes = packedBytes(inputs, BITS);
  const weights = {
    steps: channelSteps,
    weight: hostTensor('uint8', randomBytes(outputs * rowBytes, 3), [outputs, rowBytes]),
    weightScale: hostTensor('float32', new Float32Array(outputs).fill(1 / inputs)),
    weightZero: hostTensor('int32', new Int32Array(outputs).fill(8)),
  };
  return {
    x: runner.upload(hostTensor('float32', randomFloats(tokens * inputs, 4), [tokens, inputs])),
    encode: runner.prepare('gif_encode_f32', gif, { steps: channelSteps }),
    linears: Array.from({ length: count }, () =>
      runner.prepare('linear_codes_f32', { ...gif, weightBits: BITS }, weights),
    ),
  };
}

/** Seconds that one run takes, over rounds of as many runs as fill a round. */
async function secondsPerRun(
  backend: Backend,
  { rounds, signal }: KernelOptions,
  run: () => void,
): Promise<Spread> {
  const time = async (runs: number): Promise<number> => {
    await backend.synchronize();
    const began = performance.now();
    for (let done = 0; done < runs; done++) run();
    await backend.synchronize();
    return (performance.now() - began) / 1000 / runs;
  };
  const runs = Math.max(1, Math.ceil(ROUND_SECONDS / (await time(1))));
  return spreadOfRounds(rounds, () => time(runs), signal);
}

/** `amount` per second, in 10^9; the slowest round is the lowest rate. */
const scaled = ({ median, min, max }: Spread, amount: number): Spread => ({
  median: amount / median / 1e9,
  min: amount / max / 1e9,
  max: amount / min / 1e9,
});
