import { packedBytes, tritBytes, type HostTensor } from '@spikellm/backend';
import {
  FINAL_NORM,
  inputNormName,
  kvPrefixes,
  layerLinears,
  mlpNormName,
  packedNames,
  parseDecoderConfig,
  salientTensors,
  tables,
  ternaryNames,
  type DecoderConfig,
  type PackedRows,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { randomBytes, randomTrits, repeated } from './random.ts';
import { SHAPES, type ShapeName } from './shapes.ts';

export type WeightKind = '4-bit' | 'ternary';

export interface SyntheticOptions {
  readonly shape: ShapeName;
  /** Weights of linears as codes of four bits (the default), or as one ternary spike of two bits. */
  readonly weights?: WeightKind;
  /** Spike steps of the salient channels: 1, 2, 4, 8 or 16; 2 by default. */
  readonly steps?: number;
  /** Share of salient channels, 0 to 1; 0.1 by default. */
  readonly salient?: number;
  /** 0 by default; the same seed makes the same weights. */
  readonly seed?: number;
}

/** What `loadDecoder` takes. */
export interface SyntheticModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: TensorSource;
  /** Bytes of all tensors, as a checkpoint holds them. */
  readonly bytes: number;
  /** Bytes of those that every token reads: all but the embedding table. */
  readonly bytesPerToken: number;
}

/** Prefix of the tensors of the embedding. */
const EMBEDDING = 'model.embed_tokens.';
const WEIGHT_BITS = 4;
const TABLE_BITS = 8;
/** Standard deviations of evenly spread codes of some bits, and of trits. */
const codeDeviation = (bits: number): number => Math.sqrt((4 ** bits - 1) / 12);
const TRIT_DEVIATION = Math.sqrt(2 / 3);

/**
 * A spiking decoder of random weights, scaled so that activations keep their size, and 4-bit activations. Weights are
 * made when they are read: nothing is downloaded, and no more than the largest tensor is in memory. Embedding and head
 * have 8 bits; KV caches spike in blocks of 32 tokens, as generation has them by default.
 */
export function syntheticModel({
  shape,
  weights = '4-bit',
  steps = 2,
  salient = 0.1,
  seed = 0,
}: SyntheticOptions): SyntheticModel {
  const json = {
    model_type: 'llama',
    ...SHAPES[shape],
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    quantization_config: spikingJson(weights, steps, salient),
  };
  const recipes = recipesOf(parseDecoderConfig(json), { weights, steps, salient, seed });
  return {
    config: json,
    tensors: {
      info: (name) => recipes.get(name),
      read: (name) => Promise.resolve(recipes.get(name)!.make()),
    },
    bytes: bytesOf(recipes.values()),
    bytesPerToken: bytesOf(
      [...recipes].filter(([name]) => !name.startsWith(EMBEDDING)).map(([, recipe]) => recipe),
    ),
  };
}

const spikingJson = (weights: WeightKind, steps: number, salient: number): SpikingConfig => ({
  quant_method: 'spikellm',
  format_version: 1,
  pipeline: 'rtn',
  weights: weights === 'ternary' ? { kind: 'ternary', steps: [1] } : { bits: WEIGHT_BITS, symmetric: false },
  embeddings: { bits: TABLE_BITS },
  activations: {
    bits: 4,
    steps,
    range: 'lossless',
    saliency: 'random',
    salient_fraction: salient,
    mask: 'shared',
  },
  kv: { key: 'block', bits: 4, steps, block: 32 },
});

/** A tensor by its header, and how to make it. */
interface Recipe {
  readonly dtype: string;
  readonly shape: readonly number[];
  make(): HostTensor;
}

function recipesOf(
  config: DecoderConfig,
  { weights, steps, salient, seed }: Required<Omit<SyntheticOptions, 'shape'>>,
): Map<string, Recipe> {
  const recipes = new Map<string, Recipe>();
  const codes = lazy(() => randomBytes(blockBytes(config), seed));
  const trits = lazy(() => randomTrits(blockBytes(config), seed));
  const add = (
    name: string,
    dtype: string,
    shape: readonly number[],
    data: (length: number) => HostTensor['data'],
  ): void => {
    const length = shape.reduce((product, dim) => product * dim, 1);
    recipes.set(name, { dtype, shape, make: () => ({ type: dtype, dims: shape, data: data(length) }) });
  };
  const ones = (length: number): Float32Array => new Float32Array(length).fill(1);
  const lists = new Map<number, ReturnType<typeof salientTensors>>();
  /** Linears of as many inputs have the same salient channels. */
  const addSalient = (prefix: string, channels: number): void => {
    const list = lists.get(channels) ?? salientTensors('', evenSteps(channels, salient, steps));
    lists.set(channels, list);
    for (const [suffix, tensor] of list) {
      recipes.set(prefix + suffix, { dtype: tensor.type, shape: tensor.dims, make: () => tensor });
    }
  };

  /** Scales for weights of this deviation whose products keep the size of what they read. */
  const scales = (deviation: number, inputs: number) => (length: number) =>
    new Float32Array(length).fill(1 / (deviation * Math.sqrt(inputs)));
  const addPacked = ({ prefix, outputs, inputs }: PackedRows, bits: number): void => {
    const names = packedNames(prefix);
    add(names.codes, 'uint8', [outputs, packedBytes(inputs, bits)], (length) => repeated(codes(), length));
    add(names.scale, 'float32', [outputs], scales(codeDeviation(bits), inputs));
    add(names.zero, 'int16', [outputs], (length) => new Int16Array(length).fill(2 ** (bits - 1)));
  };
  const addTernary = ({ prefix, outputs, inputs }: PackedRows): void => {
    const names = ternaryNames(prefix);
    add(names.steps, 'uint8', [inputs], (length) => new Uint8Array(length).fill(1));
    add(names.trits, 'uint8', [outputs, tritBytes([[inputs]])], (length) => repeated(trits(), length));
    add(names.scale, 'float32', [outputs, 1], scales(TRIT_DEVIATION, inputs));
  };

  for (const table of tables(config)) addPacked(table, TABLE_BITS);
  add(FINAL_NORM, 'float32', [config.hiddenSize], ones);
  for (let index = 0; index < config.layers; index++) {
    for (const name of [inputNormName(index), mlpNormName(index)])
      add(name, 'float32', [config.hiddenSize], ones);
    for (const linear of layerLinears(config, index)) {
      if (weights === 'ternary') addTernary(linear);
      else addPacked(linear, WEIGHT_BITS);
      addSalient(linear.prefix, linear.inputs);
    }
    const { keys, values } = kvPrefixes(index);
    for (const prefix of [keys, values]) addSalient(prefix, config.kvHeads * config.headSize);
  }
  return recipes;
}

const ELEMENT_BYTES: Readonly<Record<string, number>> = { uint8: 1, int16: 2, int32: 4, float32: 4 };

function bytesOf(recipes: Iterable<Recipe>): number {
  let bytes = 0;
  for (const { dtype, shape } of recipes)
    bytes += shape.reduce((product, dim) => product * dim, ELEMENT_BYTES[dtype]);
  return bytes;
}

/**
 * Bytes of the largest linear's codes: one random block of so many, parts of which all linears are, and of which tables
 * are repetitions. One more, so that their rows are not.
 */
const blockBytes = (config: DecoderConfig): number =>
  1 +
  Math.max(
    ...layerLinears(config, 0).map(({ outputs, inputs }) => outputs * packedBytes(inputs, WEIGHT_BITS)),
  );

function lazy<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Steps of `channels` channels, floor(share * channels) of them salient, at even distances. */
export function evenSteps(channels: number, share: number, steps: number): Uint8Array {
  const salient = Math.floor(share * channels);
  return Uint8Array.from({ length: channels }, (_, channel) =>
    Math.floor(((channel + 1) * salient) / channels) > Math.floor((channel * salient) / channels) ? steps : 1,
  );
}
