/** The decoder layer of the published numbers on a tape: spikes everywhere, LET and LWC. */
import type { Runner } from '@spikellm/backend';
import type { OmniquantCase } from '@spikellm/golden';
import {
  createRotation,
  createSpikeRounding,
  createTape,
  createWorkspace,
  type SpikeRounding,
} from '../src/index.ts';
import type { Tape, Value } from '../src/index.ts';

const LINEARS = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
type Linear = (typeof LINEARS)[number];
const nameOf = (linear: Linear): string =>
  `${['q', 'k', 'v', 'o'].includes(linear) ? 'self_attn' : 'mlp'}.${linear}_proj`;

/** Trained parameters by their published names, in host memory. */
export type Parameters = Record<string, Float32Array>;

/** Parameters that the published run trains: scales and clipping factors, no shifts. */
export const trainedParameters = ({ initial_parameters }: OmniquantCase): Parameters =>
  Object.fromEntries(
    Object.entries(initial_parameters)
      .filter(([name]) => !name.endsWith('shift'))
      .map(([name, { data }]) => [name, Float32Array.from(data)]),
  );

export interface LayerStep {
  readonly tape: Tape;
  readonly parameters: Readonly<Record<string, Value>>;
  /** The mean squared error of the layer's output, one number a token. */
  readonly losses: readonly Value[];
}

/** Prepares the layer; returns one forward pass of a sample on a new tape. */
export function createLayer(
  runner: Runner,
  golden: OmniquantCase,
): (sample: number, parameters: Parameters) => LayerStep {
  const workspace = createWorkspace(runner);
  const { weights, heads: H, weight_bits: weightBits, addbit } = golden;
  const [, N, C] = golden.inputs.shape;
  const D = C / H;
  const upload = (data: ArrayLike<number>, ...dims: number[]) =>
    runner.upload({ type: 'float32', data: Float32Array.from(data), dims });
  const weight = Object.fromEntries(
    LINEARS.map((linear) => {
      const { data, shape } = weights[`${nameOf(linear)}.weight`];
      return [linear, upload(data, ...shape)];
    }),
  );
  const norms = {
    input: upload(weights['input_layernorm.weight'].data, C),
    mlp: upload(weights['post_attention_layernorm.weight'].data, C),
  };
  const ones = upload(new Float32Array(C).fill(1), C);

  const angle = (i: number): number =>
    Math.floor(i / (D / 2)) * golden.rope_theta ** (-(i % (D / 2)) / (D / 2));
  const angles = Float32Array.from({ length: (N * D) / 2 }, (_, i) => angle(i));
  const rotation = createRotation(runner, angles.map(Math.cos), angles.map(Math.sin), N);

  /** Steps of the salient channels: 2^addbit in linears; always two in the KV cache, as published. */
  const rounding = (name: string, steps: number, H_: number, D_: number, block: number): SpikeRounding => {
    const salient = golden.salient[name] ?? Array.from({ length: C }, () => 0);
    const classes = addbit === 0 ? [1] : [1, steps];
    const attributes = {
      bits: golden.activation_bits,
      range: 'published' as const,
      classes,
      H: H_,
      D: D_,
      block,
    };
    return createSpikeRounding(
      runner,
      attributes,
      Uint8Array.from(salient, (mark) => (mark === 1 ? classes.at(-1)! : 1)),
    );
  };
  const roundings = Object.fromEntries(
    LINEARS.map((linear) => {
      const inputs = weights[`${nameOf(linear)}.weight`].shape[1];
      return [linear, rounding(nameOf(linear), 2 ** addbit, 1, inputs, 1)];
    }),
  );
  const cached = {
    query: rounding('no channels of queries are salient', 2, H, D, 1),
    key: rounding('self_attn.qkt_matmul', 2, C, 1, N),
    value: rounding('self_attn.pv_matmul', 2, H, D, 1),
  };

  return (sample, host) => {
    const tape = createTape(workspace);
    const parameters = Object.fromEntries(
      Object.entries(host).map(([name, data]) => [
        name,
        tape.parameter({ type: 'float32', data, dims: [data.length] }),
      ]),
    );
    const scale = (name: string): Value | undefined => parameters[`${name}_smooth_scale`];
    const over = (a: typeof ones, divisor: Value | undefined): Value =>
      divisor ? tape.divide(tape.constant(a), divisor) : tape.constant(a);
    const linear = (x: Value, of: Linear, columns?: Value, rows?: Value): Value => {
      const upper = parameters[`${nameOf(of)}.weight_quantizer.upbound_factor`];
      const lower = parameters[`${nameOf(of)}.weight_quantizer.lowbound_factor`];
      const training = { columns, rows, upper, lower };
      return tape.linear(
        tape.spikes(x, roundings[of]),
        tape.roundWeight(tape.constant(weight[of]), training, weightBits),
      );
    };

    const rows = (tensor: OmniquantCase['inputs']) =>
      upload(tensor.data.slice(sample * N * C, (sample + 1) * N * C), N, C);
    const x = tape.constant(rows(golden.inputs));
    const normed = tape.rmsnorm(x, over(norms.input, scale('qkv')), golden.rms_norm_eps);
    const [qk, out] = [scale('qkt'), scale('out')];
    const rotated = (value: Value): Value => tape.rope(value, rotation, { H, D });
    const q = rotated(linear(normed, 'q', scale('qkv'), qk && over(ones, qk)));
    const k = rotated(linear(normed, 'k', scale('qkv'), qk));
    const v = linear(normed, 'v', scale('qkv'), out && over(ones, out));
    const attended = tape.attend(
      tape.spikes(q, cached.query),
      tape.spikes(k, cached.key),
      tape.spikes(v, cached.value),
      { H, K: H, D },
    );
    const middle = tape.add(x, linear(attended, 'o', out));
    const mlp = tape.rmsnorm(middle, over(norms.mlp, scale('fc1')), golden.rms_norm_eps);
    const gated = tape.swiglu(linear(mlp, 'gate', scale('fc1')), linear(mlp, 'up', scale('fc1')));
    const y = tape.add(middle, linear(gated, 'down'));
    const target = rows(golden.fp_outputs);
    const loss = (): Value => tape.squaredError(y, target);
    // The layer is the first one: the float layer of quantised inputs is the float layer.
    return { tape, parameters, losses: golden.aug_loss ? [loss(), loss()] : [loss()] };
  };
}
