/**
 * Numbers of the published research code (arXiv 2407.04752, float32), reached through the kernels of a backend. They
 * were computed elsewhere, so they also hold the reference backend.
 */
import {
  createRunner,
  firstDifference,
  packCodes,
  type Backend,
  type DeviceTensor,
  type Runner,
} from '@spikellm/backend';
import type {
  ActivationQuantizerCase,
  GoldenTensor,
  KernelsGolden,
  SpikeLinearCase,
  SpikeMatmulCase,
} from '@spikellm/golden';
import { expect } from 'vitest';
import { bytes, float, valuesOf, zeros, type Check } from '../check.ts';
import { quantiserOf } from '../formulas/spiking.ts';

export const goldenChecks = (golden: KernelsGolden): Check[] => [
  ...golden.activation_quantizer.map((numbers, i) => ({
    name: `activation quantiser ${i}: ${numbers.bits} bits${numbers.note === undefined ? '' : `, ${numbers.note}`}`,
    needs: ['gif_encode_f32', 'gif_decode_f32'] as const,
    run: (backend: Backend) => activationQuantiser(backend, numbers),
  })),
  ...golden.spike_linear.map((numbers, i) => ({
    name: `spike linear ${i}: ${numbers.activation_bits} bits, ${numbers.steps} steps`,
    needs: ['gif_encode_f32', 'linear_codes_f32', 'channel_saliency_f32'] as const,
    run: (backend: Backend) => spikeLinear(backend, numbers),
  })),
  ...golden.spike_matmul.map((numbers, i) => ({
    name: `spike matmul ${i}: ${numbers.bits} bits, share ${numbers.low_p} not salient`,
    needs: ['gif_encode_f32', 'gif_decode_f32', 'matmul_f32', 'kv_saliency_f32', 'column_dot_f32'] as const,
    run: (backend: Backend) => spikeMatmul(backend, numbers),
  })),
];

/** Within `relative` of each number, and half a unit of the seventh decimal, to which the files are printed. */
function expectClose(name: string, got: ArrayLike<number>, want: ArrayLike<number>, relative: number): void {
  const found = firstDifference(got, want, { absolute: 5e-8, relative, ofLargest: 0 });
  expect(found && `${name}[${found.index}] is ${found.got}, expected ${found.want}`).toBeUndefined();
}

async function activationQuantiser(backend: Backend, numbers: ActivationQuantizerCase): Promise<void> {
  using runner = createRunner(backend);
  const { bits, x } = numbers;
  const gif = { bits, range: 'saturating', classes: [1] } as const;
  const steps = bytes(Array<number>(x.shape[1]).fill(1), x.shape[1]);
  const encoded = runner.apply(runner.prepare('gif_encode_f32', gif, { steps }), {
    x: runner.upload(float(x.data, ...x.shape)),
  });
  const { y } = runner.apply(runner.prepare('gif_decode_f32', gif, { steps }), encoded);
  expectClose('scale', await valuesOf(backend, encoded.scale), numbers.scale.data, 1e-6);
  expectClose('zero', await valuesOf(backend, encoded.zero), numbers.zero_point.data, 0);
  expectClose('dequantized', await valuesOf(backend, y), numbers.dequantized.data, 1e-6);
  disposeAll({ ...encoded, y });
}

async function spikeLinear(backend: Backend, numbers: SpikeLinearCase): Promise<void> {
  using runner = createRunner(backend);
  const { activation_bits: bits, weight_bits: weightBits, steps: T } = numbers;
  const [O, C] = numbers.weight.shape;
  const [, N] = numbers.x.shape;
  const gif = { bits, range: 'saturating', classes: [1, T] } as const;
  const steps = bytes(
    numbers.salient.map((salient) => (salient === 1 ? T : 1)),
    C,
  );

  const rows = Array.from({ length: O }, (_, o) =>
    Array.from(Float32Array.from(numbers.weight.data.slice(o * C, (o + 1) * C))),
  );
  const quantisers = rows.map((row) =>
    quantiserOf(row, 1, { bits: weightBits, range: 'saturating', classes: [1] }),
  );
  const codes = Uint8Array.from(rows.flatMap((row, o) => row.map(quantisers[o].code)));
  const packed = packCodes(codes, O, C, weightBits);
  const linear = runner.prepare(
    'linear_codes_f32',
    { ...gif, weightBits },
    {
      steps,
      weight: bytes(packed, O, packed.length / O),
      weightScale: float(
        quantisers.map(({ scale }) => scale),
        O,
      ),
      weightZero: { type: 'int32', data: Int32Array.from(quantisers, ({ zero }) => zero), dims: [O] },
    },
  );
  const x = runner.upload(float(numbers.x.data, N, C));
  const encoded = runner.apply(runner.prepare('gif_encode_f32', gif, { steps }), { x });
  const { y } = runner.apply(linear, encoded);
  expectClose('output', await valuesOf(backend, y), numbers.output.data, 1e-4);
  disposeAll({ ...encoded, y });

  const score = runner.upload(zeros(C));
  const weight = runner.upload(float(numbers.weight.data, O, C));
  let tokens = 0;
  for (const { shape, data } of numbers.calibration) {
    runner.run('channel_saliency_f32', { x: runner.upload(float(data, shape[1], C)), weight, score });
    tokens += shape[1];
  }
  const perToken = (await valuesOf(backend, score)).map((sum) => sum / tokens);
  expectClose('saliency', perToken, numbers.saliency.data, 1e-4);
}

/**
 * Keys are quantised per channel over tokens and values per token over channels, each salient channel with its own
 * grid; what the encoder sees as one row is such a group. The probabilities are given and stay as they are.
 */
async function spikeMatmul(backend: Backend, numbers: SpikeMatmulCase): Promise<void> {
  using runner = createRunner(backend);
  const [, H, N, D] = numbers.q.shape;
  const head = ({ data }: GoldenTensor, h: number): number[] => data.slice(h * N * D, (h + 1) * N * D);
  const stepsOf = (salient: readonly number[], h: number): number[] =>
    salient.slice(h * D, (h + 1) * D).map((flag) => (flag === 1 ? 2 ** numbers.addbit : 1));

  for (let h = 0; h < H; h++) {
    const keySteps = stepsOf(numbers.salient_k, h);
    const channels = transposed(head(numbers.k, h), N, D);
    const low = await roundTrip(runner, channels, D, Array<number>(N).fill(1), numbers);
    const high = await roundTrip(runner, channels, D, Array<number>(N).fill(2 ** numbers.addbit), numbers);
    const keys = low.map((value, i) => (keySteps[Math.floor(i / N)] === 1 ? value : high[i]));
    const q = await roundTrip(runner, head(numbers.q, h), N, Array<number>(D).fill(1), numbers);
    const scores = await product(runner, float(q, N, D), float(keys, D, N));
    expectClose('scores', scores, numbers.scores.data.slice(h * N * N, (h + 1) * N * N), 1e-4);

    const v = await roundTrip(runner, head(numbers.v, h), N, stepsOf(numbers.salient_v, h), numbers);
    const p = float(numbers.p.data.slice(h * N * N, (h + 1) * N * N), N, N);
    const context = await product(runner, p, float(v, N, D));
    expectClose('context', context, head(numbers.context, h), 1e-4);

    // sum_n v o ((P^T P) v) is sum_n (P v)^2; the kernel takes P from q and k, the file has one of its own.
    const plain = await product(runner, p, float(head(numbers.v, h), N, D));
    const a = runner.upload(float(plain, N, D));
    const sum = runner.upload(zeros(D));
    runner.run('column_dot_f32', { a, b: a, sum });
    const valueScore = (await valuesOf(backend, sum)).map((total) => total / N);
    expectClose('saliency_v', valueScore, numbers.saliency_v.data.slice(h * D, (h + 1) * D), 1e-4);

    const keyScore = runner.upload(zeros(D));
    runner.run(
      'kv_saliency_f32',
      {
        q: runner.upload(float(head(numbers.q, h), N, D)),
        k: runner.upload(float(head(numbers.k, h), N, D)),
        v: a,
        keyScore,
        valueScore: sum,
      },
      { H: 1, K: 1, D, scale: 1 / Math.sqrt(D), window: 0, softcap: 0 },
    );
    const perToken = (await valuesOf(backend, keyScore)).map((total) => total / N);
    expectClose('saliency_k', perToken, numbers.saliency_k.data.slice(h * D, (h + 1) * D), 1e-4);
  }
}

/** Rows of x through their codes. */
async function roundTrip(
  runner: Runner,
  x: readonly number[],
  rows: number,
  stepsOf: readonly number[],
  { bits, addbit }: SpikeMatmulCase,
): Promise<number[]> {
  const gif = { bits, range: 'saturating', classes: [1, 2 ** addbit] } as const;
  const steps = bytes(stepsOf, stepsOf.length);
  const encode = runner.prepare('gif_encode_f32', gif, { steps });
  const decode = runner.prepare('gif_decode_f32', gif, { steps });
  const encoded = runner.apply(encode, { x: runner.upload(float(x, rows, x.length / rows)) });
  const { y } = runner.apply(decode, encoded);
  const decoded = Array.from(await valuesOf(runner.backend, y));
  disposeAll({ ...encoded, y });
  return decoded;
}

async function product(
  runner: Runner,
  a: ReturnType<typeof float>,
  b: ReturnType<typeof float>,
): Promise<number[]> {
  const { y } = runner.run('matmul_f32', { a: runner.upload(a), b: runner.upload(b) });
  const result = Array.from(await valuesOf(runner.backend, y));
  y.dispose();
  return result;
}

const transposed = (x: readonly number[], rows: number, columns: number): number[] =>
  Array.from({ length: x.length }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);

function disposeAll(tensors: Readonly<Record<string, DeviceTensor>>): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
