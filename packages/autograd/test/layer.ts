/** The decoder layer of the published numbers, its graph on a tape: spikes everywhere, LET and LWC. */
import type { Runner } from '@spikellm/backend';
import type { OmniquantCase } from '@spikellm/golden';
import { nodesOf, parseModel } from '@spikellm/graph';
import {
  createSpikeRounding,
  createTape,
  createWorkspace,
  prepareTapeGraph,
  type SpikeRounding,
  type Tape,
  type TapeHooks,
  type Value,
} from '../src/index.ts';

/** Trained parameters by their published names, in host memory. */
export type Parameters = Record<string, Float32Array>;

/** Parameters that the published run trains: scales and clipping factors, no shifts. */
export const trainedParameters = ({ initial_parameters }: OmniquantCase): Parameters =>
  Object.fromEntries(
    Object.entries(initial_parameters)
      .filter(([name]) => !name.endsWith('shift'))
      .map(([name, { data }]) => [name, Float32Array.from(data)]),
  );

/** The scales of a linear by their published names: those of its columns, and those that its rows take or give. */
const SCALES: Readonly<Record<string, { columns?: string; rows?: string; over?: string }>> = {
  'self_attn.q_proj': { columns: 'qkv', over: 'qkt' },
  'self_attn.k_proj': { columns: 'qkv', rows: 'qkt' },
  'self_attn.v_proj': { columns: 'qkv', over: 'out' },
  'self_attn.o_proj': { columns: 'out' },
  'mlp.gate_proj': { columns: 'fc1' },
  'mlp.up_proj': { columns: 'fc1' },
  'mlp.down_proj': {},
};
const NORMS: Readonly<Record<string, string>> = { input_layernorm: 'qkv', post_attention_layernorm: 'fc1' };

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
  const { layers, rotary } = parseModel({
    model_type: 'llama',
    hidden_size: C,
    intermediate_size: weights['mlp.gate_proj.weight'].shape[0],
    num_hidden_layers: 1,
    num_attention_heads: H,
    vocab_size: 8,
    max_position_embeddings: N,
    rms_norm_eps: golden.rms_norm_eps,
    rope_theta: golden.rope_theta,
  });
  const [layer] = layers;
  const graph = prepareTapeGraph(runner, layer, rotary, N);
  const upload = (data: ArrayLike<number>, ...dims: number[]) =>
    runner.upload({ type: 'float32', data: Float32Array.from(data), dims });
  const uploaded = new Map(
    [...Object.keys(SCALES), ...Object.keys(NORMS)].map((name) => {
      const { data, shape } = weights[`${name}.weight`];
      return [name, upload(data, ...shape)];
    }),
  );
  const ones = upload(new Float32Array(C).fill(1), C);

  /** Steps of the salient channels: 2^addbit in linears; always two in the KV cache, as published. */
  const rounding = (
    name: string,
    steps: number,
    groups: number,
    size: number,
    block: number,
  ): SpikeRounding => {
    const salient = golden.salient[name] ?? Array.from({ length: C }, () => 0);
    const classes = addbit === 0 ? [1] : [1, steps];
    const format = { bits: golden.activation_bits, range: 'saturating' as const, classes };
    return createSpikeRounding(
      runner,
      { ...format, H: groups, D: size, block },
      Uint8Array.from(salient, (mark) => (mark === 1 ? classes.at(-1)! : 1)),
    );
  };
  const roundings = new Map([
    ...nodesOf(layer, 'linear').map(
      ({ name, inputs }) => [name, rounding(name, 2 ** addbit, 1, inputs.x.width, 1)] as const,
    ),
    ['query', rounding('no channels of queries are salient', 2, H, D, 1)],
    ['key', rounding('self_attn.qkt_matmul', 2, C, 1, N)],
    ['value', rounding('self_attn.pv_matmul', 2, H, D, 1)],
  ]);

  return (sample, host) => {
    const tape = createTape(workspace);
    const parameters = Object.fromEntries(
      Object.entries(host).map(([name, data]) => [
        name,
        tape.parameter({ type: 'float32', data, dims: [data.length] }),
      ]),
    );
    const scale = (name: string | undefined): Value | undefined => parameters[`${name}_smooth_scale`];
    const over = (a: typeof ones, divisor: Value | undefined): Value =>
      divisor ? tape.divide(tape.constant(a), divisor) : tape.constant(a);
    const hooks: TapeHooks = {
      carry: (_, place, x) => tape.spikes(x, roundings.get(place)!),
      norm: (_, { name }) => ({ weight: over(uploaded.get(name)!, scale(NORMS[name])) }),
      linear(_, { name }) {
        const { columns, rows, over: divisor } = SCALES[name];
        const inverse = scale(divisor);
        const training = {
          columns: scale(columns),
          rows: inverse ? over(ones, inverse) : scale(rows),
          upper: parameters[`${name}.weight_quantizer.upbound_factor`],
          lower: parameters[`${name}.weight_quantizer.lowbound_factor`],
        };
        return { weight: tape.roundWeight(tape.constant(uploaded.get(name)!), training, weightBits) };
      },
    };
    const rowsOf = ({ data }: OmniquantCase['inputs']) =>
      upload(data.slice(sample * N * C, (sample + 1) * N * C), N, C);
    const y = graph.forward(tape, tape.constant(rowsOf(golden.inputs)), hooks);
    const target = rowsOf(golden.fp_outputs);
    const loss = (): Value => tape.squaredError(y, target);
    // The layer is the first one: the float layer of quantised inputs is the float layer.
    return { tape, parameters, losses: golden.aug_loss ? [loss(), loss()] : [loss()] };
  };
}
