/** A decoder of two small layers with made-up weights, float or spiking, and the tensors behind it. */
import { createReferenceBackend, packCodes, packTrits, type HostTensor } from '@spikellm/backend';
import {
  createRandom,
  globalWeights,
  hostTensor,
  kvPrefixes,
  layerLinears,
  layerWeights,
  loadDecoder,
  packedNames,
  packElements,
  parseDecoderConfig,
  salientTensors,
  ternaryNames,
  type Decoder,
  type LinearEntry,
  type Random,
  type SpikingConfig,
} from '@spikellm/graph';
import type { TensorIndex } from '../src/index.ts';

export const floatConfig = {
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 40,
  max_position_embeddings: 64,
  tie_word_embeddings: false,
};

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
    saliency: 'published',
    salient_fraction: 0.25,
    mask: 'own',
    ...changes.activations,
  },
  kv: { key: 'float', bits: 4, steps: 2, block: 8, ...changes.kv },
});

const DTYPE_BYTES: Record<string, number> = { float32: 4, int32: 4, int16: 2, uint8: 1 };

/** A `TensorIndex` of tensors in memory. */
export function indexOf(tensors: ReadonlyMap<string, HostTensor>): TensorIndex {
  return {
    names: () => tensors.keys(),
    info(name) {
      const tensor = tensors.get(name);
      if (tensor === undefined) return undefined;
      return { dtype: tensor.type, shape: tensor.dims, bytes: tensor.data.length * DTYPE_BYTES[tensor.type] };
    },
    read: async (name) => tensors.get(name)!,
  };
}

/** Steps of `channels` channels: 4 for the first, 2 for the next two, 1 for the rest. */
export function someSteps(channels: number): Uint8Array {
  const steps = new Uint8Array(channels).fill(1);
  steps.set([4, 2, 2]);
  return steps;
}

/** Tensors of the toy; with `config` those of a checkpoint that spikes in every linear and in the cache. */
export function toyTensors(config?: SpikingConfig): Map<string, HostTensor> {
  const decoder = parseDecoderConfig(floatConfig);
  const random = createRandom(7);
  const tensors = new Map<string, HostTensor>();
  const layers = Array.from({ length: decoder.layers }, (_, layer) => layer);
  const weights = [...globalWeights(decoder), ...layers.flatMap((layer) => layerWeights(decoder, layer))];
  for (const { name, shape } of weights) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, () => random.real() - 0.5);
    tensors.set(name, hostTensor('float32', data, shape));
  }
  if (config === undefined) return tensors;
  for (const linear of layers.flatMap((layer) => layerLinears(decoder, layer))) {
    const { prefix, inputs } = linear;
    tensors.delete(`${prefix}.weight`);
    const stored = [
      ...weightTensors(linear, config.weights, random),
      ...salientTensors(prefix, someSteps(inputs)),
    ];
    for (const [name, tensor] of stored) tensors.set(name, tensor);
  }
  const heads = config.kv.key === 'published' ? decoder.heads : decoder.kvHeads;
  for (const prefix of layers.flatMap((layer) => Object.values(kvPrefixes(layer)))) {
    for (const [name, tensor] of salientTensors(prefix, someSteps(heads * decoder.headSize))) {
      tensors.set(name, tensor);
    }
  }
  return tensors;
}

/** Random codes; or random trits, where the first channel has the most steps and the others have the fewest. */
function weightTensors(
  { prefix, outputs, inputs }: LinearEntry,
  format: SpikingConfig['weights'],
  random: Random,
): [string, HostTensor][] {
  const scales = (columns: number): Float32Array => new Float32Array(outputs * columns).fill(0.05);
  if (format.kind === 'ternary') {
    const names = ternaryNames(prefix);
    if (format.unit === 'element') {
      // Every fifth weight is salient.
      const map = Uint8Array.from({ length: outputs * inputs }, (_, i) => (i % 5 === 0 ? 1 : 0));
      const of = [format.steps[0], format.steps[1]] as const;
      const values = Int8Array.from(map, (bit) => random.integer(-of[bit], of[bit]));
      const packed = packElements(values, map, outputs, of);
      const columns = 2 * Math.ceil(inputs / (format.group ?? inputs));
      return [
        [names.salient, hostTensor('uint8', packed.salient, [outputs, packed.salient.length / outputs])],
        [names.trits, hostTensor('uint8', packed.trits)],
        [names.scale, hostTensor('float32', scales(columns), [outputs, columns])],
      ];
    }
    const steps = new Uint8Array(inputs).fill(format.steps[0]).fill(format.steps.at(-1)!, 0, 1);
    const k = Int8Array.from({ length: outputs * inputs }, (_, i) => {
      const T = steps[i % inputs];
      return random.integer(-T, T);
    });
    const trits = packTrits(k, outputs, steps);
    const W = new Set(steps).size;
    return [
      [names.steps, hostTensor('uint8', steps)],
      [names.trits, hostTensor('uint8', trits, [outputs, trits.length / outputs])],
      [names.scale, hostTensor('float32', scales(W), [outputs, W])],
    ];
  }
  const names = packedNames(prefix);
  const codes = Uint8Array.from({ length: outputs * inputs }, () => random.integer(0, 2 ** format.bits - 1));
  const packed = packCodes(codes, outputs, inputs, format.bits);
  return [
    [names.codes, hostTensor('uint8', packed, [outputs, packed.length / outputs])],
    [names.scale, hostTensor('float32', scales(1))],
    [names.zero, { type: 'int16', data: new Int16Array(outputs).fill(7), dims: [outputs] }],
  ];
}

export const toyConfig = (config?: SpikingConfig): Record<string, unknown> =>
  config === undefined ? floatConfig : { ...floatConfig, quantization_config: config };

/** The toy on a reference backend of its own. */
export function loadToy(tensors: ReadonlyMap<string, HostTensor>, config?: SpikingConfig): Promise<Decoder> {
  const backend = createReferenceBackend();
  return loadDecoder({ config: toyConfig(config), tensors: indexOf(tensors), backend });
}

/** `length` token ids of the toy. */
export function someIds(length: number): number[] {
  const random = createRandom(11);
  return Array.from({ length }, () => random.integer(0, floatConfig.vocab_size - 1));
}
