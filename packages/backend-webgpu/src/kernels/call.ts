/** How a kernel of the table becomes runs of shaders. */
import { codeType, type Activation, type GifFormat, type Dims, type WeightChannels } from '@spikellm/backend';
import type { DeviceBuffer } from '../pool.ts';
import type { Recorder } from '../recorder.ts';
import type { Shader } from '../shader.ts';

export type Attributes = GifFormat & {
  readonly classes: readonly number[];
  readonly weightBits: number;
  readonly weightChannels: WeightChannels;
  readonly weightParts: number;
  readonly eps: number;
  readonly block: number;
  readonly of: Activation;
  readonly renormalised: boolean;
};
export type Buffers = Readonly<Record<string, DeviceBuffer | undefined>>;

export interface KernelCall {
  /** Lists what packs the constants and returns what `run` needs; without it, constants are operands as they are. */
  readonly pack?: (
    recorder: Recorder & {
      /** Memory of that many words that lives as long as the prepared kernel. */
      keep(words: number): DeviceBuffer;
    },
    constants: Buffers,
    dims: Dims,
    attributes: Attributes,
  ) => Record<string, DeviceBuffer>;
  /** Lists the runs of one call. `buffers` are its operands, and what `pack` returned. */
  readonly run: (
    recorder: Recorder,
    buffers: Buffers,
    dims: Dims,
    attributes: Attributes,
    scalars: Dims,
  ) => void;
}

type Numbers = (dims: Dims, attributes: Attributes, scalars: Dims) => number[];

/** A kernel that is one run of one shader, whose operands have the names of its bindings. */
export const single = (shader: Shader, groups: (dims: Dims) => number, params: Numbers): KernelCall => ({
  run: (recorder, operands, dims, attributes, scalars) =>
    recorder.run(shader, {
      operands,
      params: params(dims, attributes, scalars),
      groups: groups(dims),
    }),
});

/** Groups for `count` invocations. */
export const groupsOf = (count: number, { lanes }: Shader): number => Math.ceil(count / lanes);

/** As `single`, one invocation an element. */
export const elementwise = (
  shader: Shader,
  count: (dims: Dims) => number,
  params: Numbers = () => [],
): KernelCall =>
  single(
    shader,
    (dims) => groupsOf(count(dims), shader),
    (dims, attributes, scalars) => [count(dims), ...params(dims, attributes, scalars)],
  );

/** A param that the shader reads as a float32. */
export const floatWord = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0];

/** Planes of bytes that codes take. */
export const planesOf = (attributes: Attributes): number => (codeType(attributes) === 'uint16' ? 2 : 1);
