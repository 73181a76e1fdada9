/** The tiny models of the fixtures as checkpoints, float and spiking, and what tests ask of a decoder. */
import { packCodes, type Backend, type HostTensor } from '@spikellm/backend';
import {
  memorySource,
  randomTensors,
  seeded,
  TINY_CONFIGS,
  tokenIds,
  type SeededRandom,
  type Tensors,
} from '@spikellm/fixtures';
import {
  attentionOf,
  cachedChannels,
  cachePrefixes,
  globalWeights,
  hostTensor,
  integerWeight,
  layerWeights,
  linearRows,
  loadDecoder,
  nodesOf,
  parseModel,
  salientTensors,
  type Decoder,
  type KeyQuantiser,
  type ModelGraph,
  type WeightEntry,
  type WeightRows,
} from '../src/index.ts';

type Json = Readonly<Record<string, unknown>>;
export type { Tensors };

export const TINY_CONFIG = TINY_CONFIGS.llama;

export const WEIGHT_BITS = 4;
export const BLOCK = 4;

/** `quantization_config` of the tiny spiking models: W4A4, 1, 2 and 4 steps. */
export const spikingJson = (key: KeyQuantiser) => ({
  quant_method: 'spikellm',
  format_version: 1,
  pipeline: 'rtn',
  weights: { bits: WEIGHT_BITS, symmetric: false },
  activations: {
    bits: 4,
    steps: 2,
    range: 'lossless',
    saliency: 'obs',
    salient_fraction: 0.2,
    mask: 'own',
  },
  kv: { key, bits: 4, steps: 2, block: BLOCK },
});

/** All weights of a model as a float checkpoint has them. */
export const weightsOf = (model: ModelGraph): WeightEntry[] => [
  ...globalWeights(model),
  ...model.layers.flatMap(layerWeights),
];

/** The rows of the linears of all layers. */
export const linearsOf = (model: ModelGraph): WeightRows[] =>
  model.layers.flatMap((layer) => nodesOf(layer, 'linear').map((node) => linearRows(layer.prefix, node)));

/** Float weights of a config from a seed. */
export const floatTensors = (json: Json, seed = 5): Tensors =>
  randomTensors(weightsOf(parseModel(json)), seed);

/** Steps of `channels` channels, about one in four of them salient, with 2 or 4 steps. */
const someSteps = (random: SeededRandom, channels: number): Uint8Array =>
  Uint8Array.from({ length: channels }, () => (random.real() < 0.75 ? 1 : 2 * random.integer(1, 2)));

/** A weight in random codes of 4 bits. */
export function packedWeight(random: SeededRandom, { outputs, inputs }: Omit<WeightRows, 'prefix'>) {
  const codes = Uint8Array.from({ length: outputs * inputs }, () => random.integer(0, 15));
  const packed = packCodes(codes, outputs, inputs, WEIGHT_BITS);
  const each = (of: () => number): number[] => Array.from({ length: outputs }, of);
  return integerWeight({
    bits: WEIGHT_BITS,
    inputs,
    codes: hostTensor('uint8', packed, [outputs, packed.length / outputs]),
    scale: hostTensor('float32', Float32Array.from(each(() => 0.05 + 0.05 * random.real()))),
    zero: hostTensor('int32', Int32Array.from(each(() => random.integer(6, 9)))),
  });
}

/** The same with packed weights; q, v, gate and down have salient channels, k, o and up have none; all caches do. */
export function spikingTensors(json: Json, key: KeyQuantiser, seed = 5): Tensors {
  const model = parseModel(json);
  const random = seeded(seed + 1);
  const tensors = floatTensors(json, seed);
  const add = (all: Iterable<[string, HostTensor]>): void => {
    for (const [name, tensor] of all) tensors.set(name, tensor);
  };
  for (const rows of linearsOf(model)) {
    const { prefix, inputs } = rows;
    tensors.delete(`${prefix}.weight`);
    add(packedWeight(random, rows).tensors(prefix));
    if (/(q|v|gate|down)_proj$/.test(prefix)) add(salientTensors(prefix, someSteps(random, inputs)));
  }
  if (key === 'float') return tensors;
  for (const layer of model.layers) {
    const attention = attentionOf(layer);
    const channels = cachedChannels(attention, key);
    for (const prefix of Object.values(cachePrefixes(layer, attention.name)))
      add(salientTensors(prefix, someSteps(random, channels)));
  }
  return tensors;
}

export const loadTensors = (backend: Backend, config: Json, tensors: Tensors): Promise<Decoder> =>
  loadDecoder({ backend, config, tensors: memorySource(tensors) });

export const loadFloat = (backend: Backend, config: Json = TINY_CONFIG): Promise<Decoder> =>
  loadTensors(backend, config, floatTensors(config));

export function loadSpiking(backend: Backend, key: KeyQuantiser, json: Json = TINY_CONFIG): Promise<Decoder> {
  const config = { ...json, quantization_config: spikingJson(key) };
  return loadTensors(backend, config, spikingTensors(config, key));
}

/** Ids of the tiny vocabulary. */
export const tinyIds = (count: number, seed = 1): number[] =>
  tokenIds(count, { vocabulary: TINY_CONFIG.vocab_size, seed });

/** Logits [V] of every token, given in these chunks to one cache. */
export async function logitsOf(
  decoder: Decoder,
  ...chunks: readonly (readonly number[])[]
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  using cache = decoder.createCache(chunks.flat().length);
  for (const chunk of chunks) {
    using logits = decoder.forward(chunk, cache, { logits: 'all' });
    const { data } = await decoder.backend.read(logits);
    const V = decoder.config.vocabularySize;
    for (let n = 0; n < chunk.length; n++) rows.push((data as Float32Array).slice(n * V, (n + 1) * V));
  }
  return rows;
}

export const largestDifference = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(...a.flatMap((row, n) => Array.from(row, (value, i) => Math.abs(value - b[n][i]))));
