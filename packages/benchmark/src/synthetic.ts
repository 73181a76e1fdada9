import { packedBytes, tritBytes, type HostTensor } from '@spikellm/backend';
import {
  attentionOf,
  cachePrefixes,
  channelWeight,
  FAMILIES,
  globalWeights,
  hostTensor,
  inputSites,
  integerWeight,
  layerWeights,
  linearRows,
  parseModel,
  salientTensors,
  tables,
  tablesOf,
  type ModelGraph,
  type SpikingConfig,
  type TensorSource,
  type TernarySettings,
  type WeightRows,
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
    model_type: FAMILIES[0].modelType,
    ...SHAPES[shape],
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    quantization_config: spikingJson(weights, steps, salient),
  };
  const model = parseModel(json);
  const recipes = recipesOf(model, { weights, steps, salient, seed });
  const [{ prefix: embedding }] = tablesOf(model.embed);
  return {
    config: json,
    tensors: {
      names: () => recipes.keys(),
      info: (name) => recipes.get(name),
      read: (name) => Promise.resolve(recipes.get(name)!.make()),
    },
    bytes: bytesOf(recipes.values()),
    bytesPerToken: bytesOf(
      [...recipes].filter(([name]) => !name.startsWith(`${embedding}.`)).map(([, recipe]) => recipe),
    ),
  };
}

const TERNARY: TernarySettings = { kind: 'ternary', steps: [1] };

const spikingJson = (weights: WeightKind, steps: number, salient: number): SpikingConfig => ({
  quant_method: 'spikellm',
  format_version: 1,
  pipeline: 'none',
  weights: weights === 'ternary' ? TERNARY : { bits: WEIGHT_BITS, symmetric: false },
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
  model: ModelGraph,
  { weights, steps, salient, seed }: Required<Omit<SyntheticOptions, 'shape'>>,
): Map<string, Recipe> {
  const recipes = new Map<string, Recipe>();
  const codes = lazy(() => randomBytes(blockBytes(model), seed));
  const trits = lazy(() => randomTrits(blockBytes(model), seed));
  /** Tensors that are made when they are read. */
  const add = (made: () => readonly (readonly [string, HostTensor])[], heads: readonly Header[]): void => {
    for (const [i, { name, dtype, shape }] of heads.entries())
      recipes.set(name, { dtype, shape, make: () => made()[i][1] });
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
  const scales = (deviation: number, inputs: number, length: number): Float32Array =>
    new Float32Array(length).fill(1 / (deviation * Math.sqrt(inputs)));
  const addPacked = ({ prefix, outputs, inputs }: WeightRows, bits: number): void => {
    const bytes = packedBytes(inputs, bits);
    const weight = (data: Uint8Array) =>
      integerWeight({
        bits,
        inputs,
        codes: hostTensor('uint8', data, [outputs, bytes]),
        scale: hostTensor('float32', scales(codeDeviation(bits), inputs, outputs)),
        zero: hostTensor('int32', new Int32Array(outputs).fill(2 ** (bits - 1))),
      }).tensors(prefix);
    add(() => weight(repeated(codes(), outputs * bytes)), headersOf(weight(NOTHING)));
  };
  const addTernary = ({ prefix, outputs, inputs }: WeightRows): void => {
    const bytes = tritBytes([[inputs]]);
    const weight = (data: Uint8Array) =>
      channelWeight(TERNARY, {
        steps: hostTensor('uint8', new Uint8Array(inputs).fill(1)),
        trits: hostTensor('uint8', data, [outputs, bytes]),
        scale: hostTensor('float32', scales(TRIT_DEVIATION, inputs, outputs), [outputs, 1]),
      }).tensors(prefix);
    add(() => weight(repeated(trits(), outputs * bytes)), headersOf(weight(NOTHING)));
  };

  for (const table of tables(model)) addPacked(table, TABLE_BITS);
  const norms = [globalWeights(model), ...model.layers.map(layerWeights)].flat();
  for (const { name, shape, role } of norms) {
    if (role !== 'norm') continue;
    recipes.set(name, {
      dtype: 'float32',
      shape,
      make: () => hostTensor('float32', ones(shape[0])),
    });
  }
  for (const layer of model.layers) {
    for (const { readers, channels } of inputSites(layer)) {
      for (const node of readers) {
        const rows = linearRows(layer.prefix, node);
        if (weights === 'ternary') addTernary(rows);
        else addPacked(rows, WEIGHT_BITS);
        addSalient(rows.prefix, channels);
      }
    }
    const { name, kvHeads, headSize } = attentionOf(layer);
    for (const prefix of Object.values(cachePrefixes(layer, name))) addSalient(prefix, kvHeads * headSize);
  }
  return recipes;
}

/** Stands for data that only has to have a shape. */
const NOTHING = new Uint8Array(0);

interface Header extends Pick<Recipe, 'dtype' | 'shape'> {
  readonly name: string;
}

const headersOf = (tensors: readonly (readonly [string, HostTensor])[]): Header[] =>
  tensors.map(([name, { type, dims }]) => ({ name, dtype: type, shape: dims }));

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
const blockBytes = ({ layers: [layer] }: ModelGraph): number =>
  1 +
  Math.max(
    ...inputSites(layer).flatMap(({ channels, readers }) =>
      readers.map(({ output }) => output.width * packedBytes(channels, WEIGHT_BITS)),
    ),
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
