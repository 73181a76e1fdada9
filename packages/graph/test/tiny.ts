import { packCodes, type Backend, type HostTensor } from '@spikellm/backend';
import {
  createRandom,
  globalWeights,
  kvPrefixes,
  layerLinears,
  layerWeights,
  loadDecoder,
  packedNames,
  parseDecoderConfig,
  salientTensors,
  type Decoder,
  type KeyQuantiser,
  type Random,
  type TensorSource,
} from '../src/index.ts';

type Json = Readonly<Record<string, unknown>>;
export type Tensors = Map<string, HostTensor>;

export const TINY_CONFIG = {
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 31,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};

const WEIGHT_BITS = 4;
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
    saliency: 'published',
    salient_fraction: 0.2,
    mask: 'own',
  },
  kv: { key, bits: 4, steps: 2, block: BLOCK },
});

/** Uniform numbers in [-amplitude, amplitude). */
function floats(random: Random, dims: readonly number[], amplitude: number): HostTensor {
  const length = dims.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length }, () => amplitude * (2 * random.real() - 1));
  return { type: 'float32', dims, data };
}

/** Float weights of a config from a seed. */
export function floatTensors(json: Json, seed = 5): Tensors {
  const random = createRandom(seed);
  const config = parseDecoderConfig(json);
  const layers = Array.from({ length: config.layers }, (_, index) => layerWeights(config, index));
  return new Map(
    [globalWeights(config), ...layers].flat().map(({ name, shape }) => [name, floats(random, shape, 0.7)]),
  );
}

/** Steps of `channels` channels, about one in four of them salient, with 2 or 4 steps. */
const someSteps = (random: Random, channels: number): Uint8Array =>
  Uint8Array.from({ length: channels }, () => (random.real() < 0.75 ? 1 : 2 * random.integer(1, 2)));

/** The same with packed weights; q, v, gate and down have salient channels, k, o and up have none; all caches do. */
export function spikingTensors(json: Json, key: KeyQuantiser, seed = 5): Tensors {
  const config = parseDecoderConfig(json);
  const random = createRandom(seed + 1);
  const tensors = floatTensors(json, seed);
  const addSteps = (prefix: string, channels: number): void => {
    for (const [name, tensor] of salientTensors(prefix, someSteps(random, channels)))
      tensors.set(name, tensor);
  };
  for (let index = 0; index < config.layers; index++) {
    for (const { prefix, outputs, inputs } of layerLinears(config, index)) {
      const codes = Uint8Array.from({ length: outputs * inputs }, () => random.integer(0, 15));
      const packed = packCodes(codes, outputs, inputs, WEIGHT_BITS);
      const names = packedNames(prefix);
      tensors.delete(`${prefix}.weight`);
      tensors.set(names.codes, { type: 'uint8', dims: [outputs, packed.length / outputs], data: packed });
      const scale = Float32Array.from({ length: outputs }, () => 0.05 + 0.05 * random.real());
      tensors.set(names.scale, { type: 'float32', dims: [outputs], data: scale });
      const zero = Int16Array.from({ length: outputs }, () => random.integer(6, 9));
      tensors.set(names.zero, { type: 'int16', dims: [outputs], data: zero });
      if (/(q|v|gate|down)_proj$/.test(prefix)) addSteps(prefix, inputs);
    }
    if (key === 'float') continue;
    const cached = (key === 'published' ? config.heads : config.kvHeads) * config.headSize;
    const { keys, values } = kvPrefixes(index);
    addSteps(keys, cached);
    addSteps(values, cached);
  }
  return tensors;
}

export const sourceOf = (tensors: Tensors): TensorSource => ({
  info(name) {
    const found = tensors.get(name);
    return found && { dtype: found.type, shape: found.dims };
  },
  read: (name) => Promise.resolve(tensors.get(name)!),
});

export const loadFloat = (backend: Backend, config: Json = TINY_CONFIG): Promise<Decoder> =>
  loadDecoder({ backend, config, tensors: sourceOf(floatTensors(config)) });

export function loadSpiking(backend: Backend, key: KeyQuantiser): Promise<Decoder> {
  const config = { ...TINY_CONFIG, quantization_config: spikingJson(key) };
  return loadDecoder({ backend, config, tensors: sourceOf(spikingTensors(config, key)) });
}

/** Ids of the tiny vocabulary. */
export function tinyIds(count: number, seed = 1): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.integer(0, TINY_CONFIG.vocab_size - 1));
}

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
