/**
 * Default bodies of composite kernels, made of other kernels: a new backend is correct without them, and replaces them
 * one by one where fusing pays. The reference backend computes them itself, as their definition.
 */
import type { DeviceTensor, HostTensor } from './tensor.ts';
import type { GifFormat } from './codes.ts';
import type { Runner } from './runner.ts';
import { weightOf } from './table/fused.ts';
import type { Activation } from './table/domains.ts';
import type { KernelName } from './table/index.ts';

type Tensors = Readonly<Record<string, DeviceTensor>>;
type Host = DeviceTensor | HostTensor | undefined;

/**
 * Prepares what the body needs with a runner of its own, which lives as long as the composite kernel; returns one run.
 * The run is called in a scope, so what it allocates is freed after it.
 */
export type Composite = (
  runner: Runner,
  attributes: object,
  constants: Readonly<Record<string, Host>>,
) => (operands: Tensors, scalars: Readonly<Record<string, number>>) => void;

type LinearAttributes = GifFormat & { readonly classes: readonly number[]; readonly weightBits: number };
type Named<T> = Readonly<Record<string, T>>;

const prepareEncode = (runner: Runner, { bits, range, classes }: LinearAttributes, constants: Named<Host>) =>
  runner.prepare('gif_encode_f32', { bits, range, classes }, { steps: constants.steps! });
const prepareLinear = (
  runner: Runner,
  { bits, range, classes, weightBits }: LinearAttributes,
  constants: Named<Host>,
) => runner.prepare('linear_codes_f32', { bits, range, classes, weightBits }, constants as never);

/** The codes of the norm of x, for the composites that begin so. */
function encodeNorm(runner: Runner, attributes: object, constants: Named<Host>) {
  const encode = prepareEncode(runner, attributes as LinearAttributes, constants);
  const { eps } = attributes as { eps: number };
  return ({ x, norm }: Tensors) =>
    runner.apply(encode, { x: runner.run('rmsnorm_f32', { x, weight: norm }, { eps, H: 1 }).y });
}

const linearGif: Composite = (runner, attributes, constants) => {
  const encode = prepareEncode(runner, attributes as LinearAttributes, constants);
  const linear = prepareLinear(runner, attributes as LinearAttributes, constants);
  const sum = runner.prepare('add_f32', {}, {});
  return ({ x, add, y }) => {
    const codes = runner.apply(encode, { x });
    if (add === undefined) runner.backend.dispatch(linear, { ...codes, y }, {});
    else runner.backend.dispatch(sum, { a: add, b: runner.apply(linear, codes).y, y }, {});
  };
};

const qkvGif: Composite = (runner, attributes, constants) => {
  const encode = encodeNorm(runner, attributes, constants);
  const [q, k, v] = ['q', 'k', 'v'].map((prefix) =>
    prepareLinear(runner, attributes as LinearAttributes, weightOf(constants, prefix)),
  );
  return (operands) => {
    const codes = encode(operands);
    runner.backend.dispatch(q, { ...codes, y: operands.q }, {});
    runner.backend.dispatch(k, { ...codes, y: operands.k }, {});
    runner.backend.dispatch(v, { ...codes, y: operands.v }, {});
  };
};

const gateUpGif: Composite = (runner, attributes, constants) => {
  const encode = encodeNorm(runner, attributes, constants);
  const [gate, up] = ['gate', 'up'].map((prefix) =>
    prepareLinear(runner, attributes as LinearAttributes, weightOf(constants, prefix)),
  );
  const { of } = attributes as { of: Activation };
  const gated = runner.prepare('gated_f32', { of }, {});
  return (operands) => {
    const codes = encode(operands);
    const hidden = { gate: runner.apply(gate, codes).y, up: runner.apply(up, codes).y };
    runner.backend.dispatch(gated, { ...hidden, y: operands.y }, {});
  };
};

const channelSaliency: Composite =
  (runner) =>
  ({ x, weight, score }) => {
    const { y: a } = runner.run('linear_f32', { x, weight });
    const { y: b } = runner.run('matmul_f32', { a, b: weight });
    runner.run('column_dot_f32', { a: x, b, sum: score });
  };

const SPIKING = ['gif_encode_f32', 'linear_codes_f32'] as const;

export const composites: Partial<
  Record<KernelName, { readonly needs: readonly KernelName[]; readonly body: Composite }>
> = {
  linear_gif_f32: { needs: [...SPIKING, 'add_f32'], body: linearGif },
  qkv_gif_f32: { needs: ['rmsnorm_f32', ...SPIKING], body: qkvGif },
  gate_up_gif_f32: { needs: ['rmsnorm_f32', ...SPIKING, 'gated_f32'], body: gateUpGif },
  channel_saliency_f32: { needs: ['linear_f32', 'matmul_f32', 'column_dot_f32'], body: channelSaliency },
};
