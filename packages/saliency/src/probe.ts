import { createRunner, type Backend, type DeviceTensor } from '@spikellm/backend';

/** Sums a statistic of activations over calls on the device; one read at the end. */
export interface Probe<Observed extends readonly unknown[], Result> extends Disposable {
  observe(...observed: Observed): void;
  read(): Promise<Result>;
  dispose(): void;
}

const meanOver = async (backend: Backend, sum: DeviceTensor, tokens: number): Promise<Float64Array> =>
  Float64Array.from((await backend.read(sum)).data as Float32Array, (value) => value / tokens);

/**
 * Activation saliency of the channels of one linear (Optimal Brain Spiking, arXiv 2407.04752): the mean over tokens of
 * x_j ((x W^T) W)_j, signed. With M = W^T W and H = x^T x it is sum_i M_ji H_ij / tokens, and it sums to |x W^T|^2.
 *
 * `observe(x, weight)`: x [N, C], weight [O, C]. `read()`: scores [C].
 */
export function createChannelProbe(
  backend: Backend,
  channels: number,
): Probe<[x: DeviceTensor, weight: DeviceTensor], Float64Array> {
  const runner = createRunner(backend);
  const score = backend.allocate('float32', [channels]);
  let tokens = 0;
  return probe(runner, [score], {
    observe(x, weight) {
      runner.run('channel_saliency_f32', { x, weight, score });
      tokens += x.dims[0];
    },
    read: () => meanOver(backend, score, tokens),
  });
}

/** Scores of the cached channels of one layer, per repeated query head, each [H D]. */
export interface KvScores {
  readonly keys: Float64Array;
  readonly values: Float64Array;
}

/** Attention as `attend_f32` takes it: scores divided by sqrt(D), of all earlier tokens, without a cap by default. */
export interface ProbedHeads {
  readonly H: number;
  readonly K: number;
  readonly D: number;
  readonly scale?: number;
  readonly window?: number;
  readonly softcap?: number;
}

/**
 * KV saliency (arXiv 2407.04752): mean over tokens of k_j ((q^T q) k^T)_j and of v_j ((P^T P) v)_j, P the causal
 * attention probabilities, k and v repeated over the query heads.
 *
 * `observe(q, k, v)`: q [N, H D] and k [N, K D] after RoPE, v [N, K D].
 */
export function createKvProbe(
  backend: Backend,
  { H, K, D, scale = 1 / Math.sqrt(D), window = 0, softcap = 0 }: ProbedHeads,
): Probe<[q: DeviceTensor, k: DeviceTensor, v: DeviceTensor], KvScores> {
  const runner = createRunner(backend);
  const attention = { H, K, D, scale, window, softcap };
  const keyScore = backend.allocate('float32', [H * D]);
  const valueScore = backend.allocate('float32', [H * D]);
  let tokens = 0;
  return probe(runner, [keyScore, valueScore], {
    observe(q, k, v) {
      runner.run('kv_saliency_f32', { q, k, v, keyScore, valueScore }, attention);
      tokens += q.dims[0];
    },
    read: async () => ({
      keys: await meanOver(backend, keyScore, tokens),
      values: await meanOver(backend, valueScore, tokens),
    }),
  });
}

/** Largest |x_j| of each channel over all calls. `observe(x)`: x [N, C]. `read()`: [C]. */
export function createAbsmaxProbe(
  backend: Backend,
  channels: number,
): Probe<[x: DeviceTensor], Float64Array> {
  const runner = createRunner(backend);
  const largest = backend.allocate('float32', [channels]);
  return probe(runner, [largest], {
    observe: (x) => void runner.run('column_absmax_f32', { x, largest }),
    read: () => meanOver(backend, largest, 1),
  });
}

function probe<Observed extends readonly unknown[], Result>(
  runner: Disposable,
  state: readonly DeviceTensor[],
  body: Pick<Probe<Observed, Result>, 'observe' | 'read'>,
): Probe<Observed, Result> {
  const dispose = (): void => {
    for (const tensor of state) tensor.dispose();
    runner[Symbol.dispose]();
  };
  return { ...body, dispose, [Symbol.dispose]: dispose };
}
