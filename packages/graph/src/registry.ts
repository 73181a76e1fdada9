import { packedBytes, SpikeError, type HostTensor } from '@spikellm/backend';
import type { DecoderConfig } from './config.ts';

/** Where weights come from: tensors by name. `@spikellm/checkpoint` has one for folders. */
export interface TensorSource {
  info(name: string): { readonly dtype: string; readonly shape: readonly number[] } | undefined;
  /**
   * One tensor in host memory, checked to be finite. Floats come as float32, with `as: 'stored'` in the type that stores
   * them. A source that makes buffers for the tensor takes them from `allocate`, where that is given.
   */
  read(
    name: string,
    options?: {
      readonly as?: 'float32' | 'stored';
      readonly allocate?: (bytes: number) => ArrayBuffer;
      readonly signal?: AbortSignal;
    },
  ): Promise<HostTensor>;
}

/** The lowest precision a weight is ever stored in. `packed`: whole-number codes with a scale per row. */
export type LowestPrecision = 'packed' | 'float16' | 'float32';

/** One weight of the model: what it is called, its shape, and how far it may be quantised. */
export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly lowestPrecision: LowestPrecision;
}

/** Linears that read the same input. */
export type LinearGroup = 'qkv' | 'o' | 'gate_up' | 'down';

/** One linear of a decoder layer; `prefix` is the name of its tensors without the last part. */
export interface LinearEntry {
  readonly name: string;
  readonly prefix: string;
  readonly group: LinearGroup;
  readonly outputs: number;
  readonly inputs: number;
  readonly bias: boolean;
}

/** The linears of layer `index`, in the order in which they are computed. */
export function layerLinears(config: DecoderConfig, index: number): LinearEntry[] {
  const { hiddenSize, intermediateSize, heads, kvHeads, headSize, attentionBias, mlpBias } = config;
  const entry = (name: string, group: LinearGroup, outputs: number, inputs: number, bias: boolean) => ({
    name,
    prefix: `model.layers.${index}.${name}`,
    group,
    outputs,
    inputs,
    bias,
  });
  return [
    entry('self_attn.q_proj', 'qkv', heads * headSize, hiddenSize, attentionBias),
    entry('self_attn.k_proj', 'qkv', kvHeads * headSize, hiddenSize, attentionBias),
    entry('self_attn.v_proj', 'qkv', kvHeads * headSize, hiddenSize, attentionBias),
    entry('self_attn.o_proj', 'o', hiddenSize, heads * headSize, attentionBias),
    entry('mlp.gate_proj', 'gate_up', intermediateSize, hiddenSize, mlpBias),
    entry('mlp.up_proj', 'gate_up', intermediateSize, hiddenSize, mlpBias),
    entry('mlp.down_proj', 'down', hiddenSize, intermediateSize, mlpBias),
  ];
}

export const inputNormName = (index: number): string => `model.layers.${index}.input_layernorm.weight`;
export const mlpNormName = (index: number): string => `model.layers.${index}.post_attention_layernorm.weight`;
export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';
export const HEAD = 'lm_head.weight';

/** The tables of V rows: the embedding, and the head where it is not the same. */
export const tables = ({ vocabularySize, hiddenSize, tiedEmbeddings }: DecoderConfig): PackedRows[] =>
  (tiedEmbeddings ? [EMBEDDING] : [EMBEDDING, HEAD]).map((name) => ({
    prefix: name.replace(/\.weight$/, ''),
    outputs: vocabularySize,
    inputs: hiddenSize,
  }));

/** Weights outside the layers. */
export function globalWeights({ vocabularySize, hiddenSize, tiedEmbeddings }: DecoderConfig): WeightEntry[] {
  const table = [vocabularySize, hiddenSize];
  return [
    { name: EMBEDDING, shape: table, lowestPrecision: 'float16' },
    { name: FINAL_NORM, shape: [hiddenSize], lowestPrecision: 'float32' },
    ...(tiedEmbeddings ? [] : [{ name: HEAD, shape: table, lowestPrecision: 'float16' } as const]),
  ];
}

/** Float weights of layer `index`, as a checkpoint that does not spike has them. */
export function layerWeights(config: DecoderConfig, index: number): WeightEntry[] {
  const linears = layerLinears(config, index).flatMap(({ prefix, outputs, inputs, bias }): WeightEntry[] => [
    { name: `${prefix}.weight`, shape: [outputs, inputs], lowestPrecision: 'packed' },
    ...(bias ? [{ name: `${prefix}.bias`, shape: [outputs], lowestPrecision: 'float32' } as const] : []),
  ]);
  const norms = [inputNormName(index), mlpNormName(index)].map((name): WeightEntry => ({
    name,
    shape: [config.hiddenSize],
    lowestPrecision: 'float32',
  }));
  return [...norms, ...linears];
}

/** Rows of weights that are packed alike: a linear, an embedding or a head. */
export type PackedRows = Pick<LinearEntry, 'prefix' | 'outputs' | 'inputs'>;

/** Shape of the packed codes of rows. */
export const packedShape = ({ outputs, inputs }: PackedRows, bits: number): number[] => [
  outputs,
  packedBytes(inputs, bits),
];

/** Reads a weight and holds it against its shape. Errors: MISSING, SHAPE. */
export async function readWeight(
  source: TensorSource,
  name: string,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  checkWeight(source, name, shape);
  return source.read(name, signal === undefined ? {} : { signal });
}

/** As `readWeight`, for scales. Errors: also INVALID_ARGUMENT for one that is not above 0. */
export async function readScale(
  source: TensorSource,
  name: string,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  const scale = await readWeight(source, name, shape, signal);
  const wrong = (scale.data as Float32Array).find((value) => !(value > 0));
  if (wrong === undefined) return scale;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: name,
    expected: 'scales above 0',
    received: String(wrong),
  });
}

/** Refuses a model that has weights of a layer that its config does not count. Errors: MISMATCH. */
export function checkLayerCount(source: TensorSource, { layers }: DecoderConfig): void {
  const beyond = inputNormName(layers);
  if (source.info(beyond) === undefined) return;
  throw new SpikeError('MISMATCH', {
    where: 'config.json',
    expected: `num_hidden_layers to count all layers of the model`,
    received: `${layers}, and a tensor ${beyond}`,
  });
}

/** Holds a weight's header against the shape that the config asks for. Errors: MISSING, SHAPE. */
export function checkWeight(source: TensorSource, name: string, shape: readonly number[]): void {
  const info = source.info(name);
  if (info === undefined) {
    throw new SpikeError('MISSING', {
      where: 'model weights',
      expected: `tensor ${name}`,
      received: 'a model without it',
    });
  }
  if (info.shape.join() !== shape.join()) {
    throw new SpikeError('SHAPE', {
      where: name,
      expected: `[${shape.join(', ')}] as config.json has it`,
      received: `[${info.shape.join(', ')}]`,
    });
  }
}
