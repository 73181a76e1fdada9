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
import { createRunner, sizeOf, type Backend } from '@spikellm/backend';
import type { TensorSource } from '@spikellm/checkpoint';
import {
  createRandom,
  EMBEDDING,
  FINAL_NORM,
  HEAD,
  hostTensor,
  inputNormName,
  layerLinears,
  mlpNormName,
  readWeight,
  type DecoderConfig,
  type LinearEntry,
} from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';

export interface RotatedModel {
  readonly config: DecoderConfig;
  /** Tensors of the rotated model, each rotated when it is read. */
  readonly tensors: Pick<TensorSource, 'info' | 'read'>;
}

/** @param seed - draws the signs of the residual stream */
export function rotateModel(
  backend: Backend,
  config: DecoderConfig,
  source: RotatedModel['tensors'],
  seed: number,
): RotatedModel {
  const { hiddenSize: C, headSize: D } = config;
  const random = createRandom(seed);
  const signs = Float32Array.from({ length: C }, () => (random.integer(0, 1) === 0 ? -1 : 1));
  const turn = async (rows: Float32Array, width: number): Promise<Float32Array> => {
    using runner = createRunner(backend);
    const x = runner.upload(hostTensor('float32', rows, [rows.length / width, width]));
    using y = runner.run('hadamard_f32', { x }).y;
    return (await backend.read(y)).data as Float32Array;
  };
  /** Rows of C to rows of the residual stream. */
  const toStream = (rows: Float32Array): Promise<Float32Array> =>
    turn(
      rows.map((value, i) => value * signs[i % C]),
      C,
    );
  const columnsOf = (matrix: Float32Array, columns: number): Float32Array =>
    Float32Array.from(matrix, (_, i) => {
      const rows = matrix.length / columns;
      return matrix[(i % rows) * columns + Math.floor(i / rows)];
    });
  /** The outputs of a weight [O, inputs], or of a bias with one input, turned in blocks. */
  const turnOutputs = async (
    weight: Float32Array,
    inputs: number,
    by: (rows: Float32Array) => Promise<Float32Array>,
  ): Promise<Float32Array> => columnsOf(await by(columnsOf(weight, inputs)), weight.length / inputs);
  const outputsOf: Partial<Record<string, (rows: Float32Array) => Promise<Float32Array>>> = {
    'self_attn.v_proj': (rows) => turn(rows, D),
    'self_attn.o_proj': toStream,
    'mlp.down_proj': toStream,
  };
  const read = async (name: string, shape: readonly number[], signal?: AbortSignal): Promise<Float32Array> =>
    (await readWeight(source, name, shape, signal)).data as Float32Array;

  /** A weight that reads the stream behind a norm. */
  const behindNorm = async (
    rows: Float32Array,
    norm: string,
    signal?: AbortSignal,
  ): Promise<Float32Array> => {
    const weight = await read(norm, [C], signal);
    return toStream(rows.map((value, i) => value * weight[i % C]));
  };
  const rotateInputs = (index: number, entry: LinearEntry, rows: Float32Array, signal?: AbortSignal) =>
    ({
      qkv: () => behindNorm(rows, inputNormName(index), signal),
      o: () => turn(rows, D),
      gate_up: () => behindNorm(rows, mlpNormName(index), signal),
      down: () => turn(rows, entry.inputs),
    })[entry.group]();

  const rotated = new Map<
    string,
    { shape: number[]; read: (signal?: AbortSignal) => Promise<Float32Array> }
  >();
  const table = [config.vocabularySize, C];
  const ones = (): Promise<Float32Array> => Promise.resolve(new Float32Array(C).fill(1));
  rotated.set(EMBEDDING, {
    shape: table,
    read: async (signal) => toStream(await read(EMBEDDING, table, signal)),
  });
  rotated.set(HEAD, {
    shape: table,
    read: async (signal) =>
      behindNorm(await read(config.tiedEmbeddings ? EMBEDDING : HEAD, table, signal), FINAL_NORM, signal),
  });
  rotated.set(FINAL_NORM, { shape: [C], read: ones });
  for (let index = 0; index < config.layers; index++) {
    for (const name of [inputNormName(index), mlpNormName(index)])
      rotated.set(name, { shape: [C], read: ones });
    for (const entry of layerLinears(config, index)) {
      const { prefix, inputs, outputs } = entry;
      const turned = outputsOf[entry.name];
      const weight = `${prefix}.weight`;
      rotated.set(weight, {
        shape: [outputs, inputs],
        async read(signal) {
          const rows = await read(weight, [outputs, inputs], signal);
          const inner = await rotateInputs(index, entry, rows, signal);
          return turned ? turnOutputs(inner, inputs, turned) : inner;
        },
      });
      if (!entry.bias || !turned) continue;
      const bias = `${prefix}.bias`;
      rotated.set(bias, {
        shape: [outputs],
        read: async (signal) => turnOutputs(await read(bias, [outputs], signal), 1, turned),
      });
    }
  }
  return {
    config: { ...config, tiedEmbeddings: false, downRotation: 'hadamard' },
    tensors: {
      info(name) {
        const own = rotated.get(name);
        return own ? { dtype: 'F32', shape: own.shape, bytes: 4 * sizeOf(own.shape) } : source.info(name);
      },
      async read(name, options): Promise<Tensor> {
        const own = rotated.get(name);
        if (own === undefined) return source.read(name, options);
        return new Tensor('float32', await own.read(options?.signal), own.shape);
      },
    },
  };
}
