import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { writeSafetensors } from '@spikellm/checkpoint';
import { createRandom, globalWeights, layerWeights, parseModel } from '@spikellm/graph';
import { MODEL } from './run.ts';

/** A model of one layer and random weights, with the tokenizer of the bundled one: slow methods take moments on it. */
export async function writeTinyModel(folder: string): Promise<string> {
  mkdirSync(folder);
  const json = {
    ...JSON.parse(readFileSync(join(MODEL, 'config.json'), 'utf8')),
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    torch_dtype: 'float32',
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(json));
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(MODEL, file), join(folder, file));
  using backend = createReferenceBackend();
  const random = createRandom(3);
  const model = parseModel(json);
  const tensors = [...globalWeights(model), ...layerWeights(model.layers[0])].map(async ({ name, shape }) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length: size }, () => (shape.length === 1 ? 1 : random.real() - 0.5));
    return [name, await backend.read(backend.upload({ type: 'float32', data, dims: shape }))] as const;
  });
  await writeSafetensors(join(folder, 'model.safetensors'), await Promise.all(tensors));
  return folder;
}
