import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '@spikellm/checkpoint';
import { createRandom, globalWeights, layerWeights, parseDecoderConfig } from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';

export const TINY_CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 31,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};

/** Weights of a tiny LLaMA from a seed; `change` may replace or drop them. */
export function tinyTensors(config = TINY_CONFIG, seed = 7): Map<string, Tensor> {
  const random = createRandom(seed);
  const decoder = parseDecoderConfig(config);
  const layers = Array.from({ length: decoder.layers }, (_, index) => layerWeights(decoder, index));
  return new Map(
    [globalWeights(decoder), ...layers].flat().map(({ name, shape }) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      const data = Float32Array.from({ length: size }, () => random.real() * 2 - 1);
      return [name, new Tensor('float32', data, shape)];
    }),
  );
}

/** A model folder with those weights. */
export async function writeTinyModel(
  folder: string,
  {
    config = TINY_CONFIG,
    tensors = tinyTensors(config),
  }: { config?: typeof TINY_CONFIG; tensors?: Map<string, Tensor> } = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}

/** Windows of ids of the tiny vocabulary. */
export function tinyWindows(count: number, length: number): number[][] {
  const random = createRandom(1);
  return Array.from({ length: count }, () => Array.from({ length }, () => random.integer(0, 30)));
}
