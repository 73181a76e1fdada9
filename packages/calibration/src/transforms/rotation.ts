/**
 * Rotations of QuaRot (arXiv 2404.00456), which spread outliers over all channels and leave what a decoder computes alone:
 *
 * - the residual stream x becomes x Q, Q = diag(signs) T with random signs and T of `hadamard_f32`; norm weights go into the
 *   linears that read the norm, whose inputs then are rotated alike;
 * - the values of each head become v T, and o reads them so;
 * - the inputs of down are rotated by T as the decoder runs, since SwiGLU stands before them: `downRotation` of the config.
 *
 * All but the last is in the weights and costs nothing later. A tied head is untied, for the final norm goes into it.
 */
import { createRunner, sizeOf, type Backend, type HostTensor } from '@spikellm/backend';
import {
  attentionOf,
  createArena,
  createRandom,
  hostTensor,
  linearRows,
  nodesOf,
  readFloats,
  rotateInputs,
  tablesOf,
  type Edge,
  type HostArena,
  type ModelGraph,
  type NormNode,
  type TensorSource,
} from '@spikellm/graph';
import { checkEnds, planRotation } from './plan-rotation.ts';

export interface RotatedModel {
  readonly graph: ModelGraph;
  /** The fields of config.json that say so. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Tensors of the rotated model, each rotated when it is read. */
  readonly tensors: TensorSource;
}

/** How a tensor is read: `allocate` has memory for all that it is on its way, which is given back afterwards. */
interface Reading {
  readonly allocate: HostArena['allocate'];
  readonly signal?: AbortSignal | undefined;
}
type Read = (reading: Reading) => Promise<Float32Array>;
/** Rows to rows that are rotated. */
type Rotate = (rows: Float32Array, reading: Reading) => Promise<Float32Array>;

/** @param seed - draws the signs of the residual stream */
export function rotateModel(
  backend: Backend,
  model: ModelGraph,
  source: TensorSource,
  seed: number,
): RotatedModel {
  const { hiddenSize: C } = model.config;
  const ends = checkEnds(model);
  const random = createRandom(seed);
  const signs = Float32Array.from({ length: C }, () => (random.integer(0, 1) === 0 ? -1 : 1));
  const rotate = async (rows: Float32Array, width: number): Promise<Float32Array> => {
    using runner = createRunner(backend);
    const x = runner.upload(hostTensor('float32', rows, [rows.length / width, width]));
    using y = runner.run('hadamard_f32', { x }).y;
    return (await backend.read(y)).data as Float32Array;
  };
  /** Rows of C, each channel by its own factor. */
  const scaled = (rows: Float32Array, factors: Float32Array, { allocate }: Reading): Float32Array => {
    const result = new Float32Array(allocate(rows.byteLength));
    for (let i = 0; i < rows.length; i++) result[i] = rows[i] * factors[i % C];
    return result;
  };
  /** Rows of C to rows of the residual stream. */
  const toStream: Rotate = (rows, reading) => rotate(scaled(rows, signs, reading), C);
  const transposed = (matrix: Float32Array, columns: number, { allocate }: Reading): Float32Array => {
    const rows = matrix.length / columns;
    const result = new Float32Array(allocate(matrix.byteLength));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        result[column * rows + row] = matrix[row * columns + column];
      }
    }
    return result;
  };
  /** The outputs of a weight [O, inputs], or of a bias with one input, rotated in blocks. */
  const rotateOutputs = async (
    weight: Float32Array,
    inputs: number,
    by: Rotate,
    reading: Reading,
  ): Promise<Float32Array> => {
    const rotated = await by(transposed(weight, inputs, reading), reading);
    return transposed(rotated, weight.length / inputs, reading);
  };
  const read = async (name: string, shape: readonly number[], reading: Reading): Promise<Float32Array> => {
    const from: TensorSource = {
      ...source,
      read: (of, options) => source.read(of, { ...options, allocate: reading.allocate }),
    };
    return (await readFloats(from, name, shape, reading.signal)).data as Float32Array;
  };
  /** A weight that reads the stream behind a norm, whose own weight goes into it. */
  const behindNorm = async (
    rows: Float32Array,
    { name, offset }: NormNode,
    prefix: string,
    reading: Reading,
  ): Promise<Float32Array> => {
    const stored = await read(`${prefix}${name}.weight`, [C], reading);
    const gains = offset === 0 ? stored : stored.map((w) => offset + w);
    return toStream(scaled(rows, gains, reading), reading);
  };

  const made = new Map<string, { shape: number[]; read: Read }>();
  /** What is left of a norm whose weight has gone into the linears that read it: 1, as it is stored. */
  const emptyNorm = ({ name, offset }: NormNode, prefix: string): void => {
    const ones = (): Promise<Float32Array> => Promise.resolve(new Float32Array(C).fill(1 - offset));
    made.set(`${prefix}${name}.weight`, { shape: [C], read: ones });
  };

  const [embedding] = tablesOf(model.embed);
  const [tied] = tablesOf(model.head);
  const shape = [embedding.outputs, C];
  made.set(`${embedding.prefix}.weight`, {
    shape,
    read: async (reading) => toStream(await read(`${embedding.prefix}.weight`, shape, reading), reading),
  });
  made.set(`${HEAD}.weight`, {
    shape,
    read: async (reading) =>
      behindNorm(await read(`${tied.prefix}.weight`, shape, reading), ends.norm, '', reading),
  });
  emptyNorm(ends.norm, '');
  for (const layer of model.layers) {
    const { prefix } = layer;
    const { headSize: D } = attentionOf(layer);
    const plan = planRotation(layer);
    for (const node of nodesOf(layer, 'linear')) {
      const { inputs, outputs } = linearRows(prefix, node);
      const own = plan.get(node.name)!;
      const rotated: Rotate | undefined = {
        stream: toStream,
        heads: (rows: Float32Array) => rotate(rows, D),
        none: undefined,
      }[own.outputs];
      if (own.inputs.by === 'stream') emptyNorm(own.inputs.norm, prefix);
      const weight = `${prefix}${node.name}.weight`;
      made.set(weight, {
        shape: [outputs, inputs],
        async read(reading) {
          const rows = await read(weight, [outputs, inputs], reading);
          const inner =
            own.inputs.by === 'stream'
              ? await behindNorm(rows, own.inputs.norm, prefix, reading)
              : own.inputs.by === 'none'
                ? rows
                : await rotate(rows, own.inputs.by === 'heads' ? D : inputs);
          return rotated ? rotateOutputs(inner, inputs, rotated, reading) : inner;
        },
      });
      if (!node.bias || !rotated) continue;
      const bias = `${prefix}${node.name}.bias`;
      made.set(bias, {
        shape: [outputs],
        read: async (reading) => rotateOutputs(await read(bias, [outputs], reading), 1, rotated, reading),
      });
    }
  }
  return {
    graph: rotateInputs(untied(model)),
    json: { tie_word_embeddings: false, down_rotation: 'hadamard' },
    tensors: {
      *names() {
        yield* source.names();
        if (source.info(`${HEAD}.weight`) === undefined) yield `${HEAD}.weight`;
      },
      info(name) {
        const own = made.get(name);
        return own ? { dtype: 'F32', shape: own.shape, bytes: 4 * sizeOf(own.shape) } : source.info(name);
      },
      async read(name, options): Promise<HostTensor> {
        const own = made.get(name);
        if (own === undefined) return source.read(name, options);
        const arena = createArena();
        const { signal, allocate = (bytes: number) => new ArrayBuffer(bytes) } = options ?? {};
        const data = await own.read({ allocate: arena.allocate, signal });
        const result = new Float32Array(allocate(data.byteLength));
        result.set(data);
        arena.free();
        return { type: 'float32', data: result, dims: own.shape };
      },
    },
  };
}

const HEAD = 'lm_head';

/** The model with a table of its own for the head. */
function untied(model: ModelGraph): ModelGraph {
  const { head } = model;
  const [{ prefix }] = tablesOf(head);
  const named = (name: string): string =>
    name.startsWith(prefix) ? `${HEAD}${name.slice(prefix.length)}` : name;
  const edges = new Map<Edge, Edge>();
  const renamed = (edge: Edge): Edge => {
    const known = edges.get(edge) ?? { ...edge, name: named(edge.name) };
    edges.set(edge, known);
    return known;
  };
  const nodes = head.nodes.map((node) => {
    const inputs = Object.entries(node.inputs).map(([name, edge]: [string, Edge]) => [name, renamed(edge)]);
    const { name, output } = node;
    return {
      ...node,
      name: named(name),
      inputs: Object.fromEntries(inputs),
      output: renamed(output),
    };
  });
  const output = renamed(head.output);
  return {
    ...model,
    config: { ...model.config, tiedEmbeddings: false },
    head: { input: renamed(head.input), nodes, output },
  };
}
