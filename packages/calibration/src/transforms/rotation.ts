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
  createLoan,
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
  type Loan,
} from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';

export interface RotatedModel {
  readonly config: DecoderConfig;
  /** The fields of config.json that say so. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Tensors of the rotated model, each rotated when it is read. */
  readonly tensors: Pick<TensorSource, 'info' | 'read'>;
}

/** How a tensor is read: `allocate` has memory for all that it is on its way, which is given back afterwards. */
interface Reading {
  readonly allocate: Loan['allocate'];
  readonly signal?: AbortSignal | undefined;
}
type Read = (reading: Reading) => Promise<Float32Array>;
/** Rows to rows that are turned. */
type Turn = (rows: Float32Array, reading: Reading) => Promise<Float32Array>;

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
  /** Rows of C, each channel by its own factor. */
  const scaled = (rows: Float32Array, factors: Float32Array, { allocate }: Reading): Float32Array => {
    const result = new Float32Array(allocate(rows.byteLength));
    for (let i = 0; i < rows.length; i++) result[i] = rows[i] * factors[i % C];
    return result;
  };
  /** Rows of C to rows of the residual stream. */
  const toStream: Turn = (rows, reading) => turn(scaled(rows, signs, reading), C);
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
  /** The outputs of a weight [O, inputs], or of a bias with one input, turned in blocks. */
  const turnOutputs = async (
    weight: Float32Array,
    inputs: number,
    by: Turn,
    reading: Reading,
  ): Promise<Float32Array> => {
    const turned = await by(transposed(weight, inputs, reading), reading);
    return transposed(turned, weight.length / inputs, reading);
  };
  const outputsOf: Partial<Record<string, Turn>> = {
    'self_attn.v_proj': (rows) => turn(rows, D),
    'self_attn.o_proj': toStream,
    'mlp.down_proj': toStream,
  };
  const read = async (
    name: string,
    shape: readonly number[],
    { allocate, signal }: Reading,
  ): Promise<Float32Array> => {
    const from: RotatedModel['tensors'] = {
      info: (of) => source.info(of),
      read: (of, options) => source.read(of, { ...options, allocate }),
    };
    return (await readWeight(from, name, shape, signal)).data as Float32Array;
  };

  /** A weight that reads the stream behind a norm. */
  const behindNorm = async (rows: Float32Array, norm: string, reading: Reading): Promise<Float32Array> =>
    toStream(scaled(rows, await read(norm, [C], reading), reading), reading);
  const rotateInputs = (index: number, entry: LinearEntry, rows: Float32Array, reading: Reading) =>
    ({
      qkv: () => behindNorm(rows, inputNormName(index), reading),
      o: () => turn(rows, D),
      gate_up: () => behindNorm(rows, mlpNormName(index), reading),
      down: () => turn(rows, entry.inputs),
    })[entry.group]();

  const rotated = new Map<string, { shape: number[]; read: Read }>();
  const table = [config.vocabularySize, C];
  const ones = (): Promise<Float32Array> => Promise.resolve(new Float32Array(C).fill(1));
  rotated.set(EMBEDDING, {
    shape: table,
    read: async (reading) => toStream(await read(EMBEDDING, table, reading), reading),
  });
  rotated.set(HEAD, {
    shape: table,
    read: async (reading) =>
      behindNorm(await read(config.tiedEmbeddings ? EMBEDDING : HEAD, table, reading), FINAL_NORM, reading),
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
        async read(reading) {
          const rows = await read(weight, [outputs, inputs], reading);
          const inner = await rotateInputs(index, entry, rows, reading);
          return turned ? turnOutputs(inner, inputs, turned, reading) : inner;
        },
      });
      if (!entry.bias || !turned) continue;
      const bias = `${prefix}.bias`;
      rotated.set(bias, {
        shape: [outputs],
        read: async (reading) => turnOutputs(await read(bias, [outputs], reading), 1, turned, reading),
      });
    }
  }
  return {
    config: { ...config, tiedEmbeddings: false, downRotation: 'hadamard' },
    json: { tie_word_embeddings: false, down_rotation: 'hadamard' },
    tensors: {
      info(name) {
        const own = rotated.get(name);
        return own ? { dtype: 'F32', shape: own.shape, bytes: 4 * sizeOf(own.shape) } : source.info(name);
      },
      async read(name, options): Promise<Tensor> {
        const own = rotated.get(name);
        if (own === undefined) return source.read(name, options);
        const loan = createLoan();
        const { signal, allocate = (bytes: number) => new ArrayBuffer(bytes) } = options ?? {};
        const data = await own.read({ allocate: loan.allocate, signal });
        const result = new Float32Array(allocate(data.byteLength));
        result.set(data);
        loan.free();
        return new Tensor('float32', result, own.shape);
      },
    },
  };
}
