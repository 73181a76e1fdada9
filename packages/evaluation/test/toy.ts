/** The tiny model of the fixtures with a head of its own, float or spiking, and the tensors behind it. */
import { createReferenceBackend, packCodes, packTrits, type HostTensor } from '@spikellm/backend';
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
  channelWeight,
  elementWeight,
  globalWeights,
  hostTensor,
  integerWeight,
  layerWeights,
  linearRows,
  loadDecoder,
  spikingLinears,
  packElements,
  parseModel,
  salientTensors,
  type Decoder,
  type SpikingConfig,
  type TernarySettings,
  type Weight,
  type WeightRows,
} from '@spikellm/graph';

export const floatConfig = { ...TINY_CONFIGS.llama, vocab_size: 40, tie_word_embeddings: false };
const toyModel = parseModel(floatConfig);
export const HEAD = 'lm_head.weight';

export const spiking = (changes: {
  weights?: SpikingConfig['weights'];
  activations?: Partial<SpikingConfig['activations']>;
  kv?: Partial<SpikingConfig['kv']>;
}): SpikingConfig => ({
  quant_method: 'spikellm',
  format_version: 1,
  pipeline: 'rtn',
  weights: changes.weights ?? { bits: 4, symmetric: false },
  activations: {
    bits: 4,
    steps: 2,
    range: 'lossless',
    saliency: 'obs',
    salient_fraction: 0.25,
    mask: 'own',
    ...changes.activations,
  },
  kv: { key: 'float', bits: 4, steps: 2, block: 8, ...changes.kv },
});

/** Steps of `channels` channels: 4 for the first, 2 for the next two, 1 for the rest. */
export function someSteps(channels: number): Uint8Array {
  const steps = new Uint8Array(channels).fill(1);
  steps.set([4, 2, 2]);
  return steps;
}

/** Tensors of the toy, or of another model; with `config` those of a checkpoint that spikes in every linear and in the cache. */
export function toyTensors(config?: SpikingConfig, model = toyModel): Tensors {
  const tensors = randomTensors([...globalWeights(model), ...model.layers.flatMap(layerWeights)], 7, 0.5);
  if (config === undefined) return tensors;
  const random = seeded(8);
  const add = (all: Iterable<[string, HostTensor]>): void => {
    for (const [name, tensor] of all) tensors.set(name, tensor);
  };
  for (const layer of model.layers) {
    for (const node of spikingLinears(layer)) {
      const rows = linearRows(layer.prefix, node);
      tensors.delete(`${rows.prefix}.weight`);
      add(randomWeight(rows, config.weights, random).tensors(rows.prefix));
      add(salientTensors(rows.prefix, someSteps(rows.inputs)));
    }
    const attention = attentionOf(layer);
    const channels = cachedChannels(attention, config.kv.key);
    for (const prefix of Object.values(cachePrefixes(layer, attention.name)))
      add(salientTensors(prefix, someSteps(channels)));
  }
  return tensors;
}

/** Random codes; or random trits, where the first channel has the most steps and the others have the fewest. */
function randomWeight(rows: WeightRows, format: SpikingConfig['weights'], random: SeededRandom): Weight {
  const { outputs, inputs } = rows;
  if (format.kind === 'float') throw new Error('weights that are float need no spiking toy');
  if (format.kind === 'ternary') return randomTernary(rows, format, random);
  const { bits } = format;
  const codes = Uint8Array.from({ length: outputs * inputs }, () => random.integer(0, 2 ** bits - 1));
  const packed = packCodes(codes, outputs, inputs, bits);
  return integerWeight({
    bits,
    inputs,
    codes: hostTensor('uint8', packed, [outputs, packed.length / outputs]),
    scale: scales(outputs, 1, [outputs]),
    zero: hostTensor('int32', new Int32Array(outputs).fill(7)),
  });
}

function randomTernary(
  { outputs, inputs }: WeightRows,
  format: TernarySettings,
  random: SeededRandom,
): Weight {
  if (format.unit === 'element') {
    // Every fifth weight is salient.
    const map = Uint8Array.from({ length: outputs * inputs }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const of = [format.steps[0], format.steps[1]] as const;
    const values = Int8Array.from(map, (bit) => random.integer(-of[bit], of[bit]));
    const packed = packElements(values, map, outputs, of);
    return elementWeight(format, inputs, {
      salient: hostTensor('uint8', packed.salient, [outputs, packed.salient.length / outputs]),
      trits: hostTensor('uint8', packed.trits),
      scale: scales(outputs, 2 * Math.ceil(inputs / (format.group ?? inputs))),
    });
  }
  const steps = new Uint8Array(inputs).fill(format.steps[0]).fill(format.steps.at(-1)!, 0, 1);
  const k = Int8Array.from({ length: outputs * inputs }, (_, i) => {
    const T = steps[i % inputs];
    return random.integer(-T, T);
  });
  const trits = packTrits(k, outputs, steps);
  return channelWeight(format, {
    steps: hostTensor('uint8', steps),
    trits: hostTensor('uint8', trits, [outputs, trits.length / outputs]),
    scale: scales(outputs, new Set(steps).size),
  });
}

const scales = (outputs: number, columns: number, dims: readonly number[] = [outputs, columns]): HostTensor =>
  hostTensor('float32', new Float32Array(outputs * columns).fill(0.05), dims);

export const toyConfig = (config?: SpikingConfig): Record<string, unknown> =>
  config === undefined ? floatConfig : { ...floatConfig, quantization_config: config };

/** The toy on a reference backend of its own. */
export function loadToy(tensors: Tensors, config?: SpikingConfig): Promise<Decoder> {
  const backend = createReferenceBackend();
  return loadDecoder({ config: toyConfig(config), tensors: memorySource(tensors), backend });
}

/** `count` token ids of the toy. */
export const someIds = (count: number): number[] =>
  tokenIds(count, { vocabulary: floatConfig.vocab_size, seed: 11 });
