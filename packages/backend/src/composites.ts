/**
 * Default bodies of composite kernels, made of other kernels: a new backend is correct without them, and replaces them
 * one by one where fusing pays. The reference backend computes them itself, as their definition.
 */
import type { DeviceTensor, HostTensor } from './tensor.ts';
import type { GifFormat } from './codes.ts';
import type { Runner } from './runner.ts';
import type { KernelName } from './table/index.ts';

type Tensors = Readonly<Record<string, DeviceTensor>>;

/**
 * Prepares what the body needs with a runner of its own, which lives as long as the composite kernel; returns one run.
 * The run is called in a scope, so what it allocates is freed after it.
 */
export type Composite = (
  runner: Runner,
  attributes: object,
  constants: Readonly<Record<string, DeviceTensor | HostTensor | undefined>>,
) => (operands: Tensors, scalars: Readonly<Record<string, number>>) => void;

type GifAttributes = GifFormat & { readonly classes: readonly number[]; readonly weightBits: number };

const linearGif: Composite = (runner, attributes, constants) => {
  const { weightBits, ...gif } = attributes as GifAttributes;
  const encode = runner.prepare('gif_encode_f32', gif, { steps: constants.steps! });
  const linear = runner.prepare('linear_codes_f32', { ...gif, weightBits }, constants as never);
  return ({ x, y }) => {
    const { codes, scale, zero } = runner.apply(encode, { x });
    runner.backend.dispatch(linear, { codes, scale, zero, y }, {});
  };
};

const channelSaliency: Composite =
  (runner) =>
  ({ x, weight, score }) => {
    const { y: a } = runner.run('linear_f32', { x, weight });
    const { y: b } = runner.run('matmul_f32', { a, b: weight });
    runner.run('column_dot_f32', { a: x, b, sum: score });
  };

export const composites: Partial<
  Record<KernelName, { readonly needs: readonly KernelName[]; readonly body: Composite }>
> = {
  linear_gif_f32: { needs: ['gif_encode_f32', 'linear_codes_f32'], body: linearGif },
  channel_saliency_f32: { needs: ['linear_f32', 'matmul_f32', 'column_dot_f32'], body: channelSaliency },
};
