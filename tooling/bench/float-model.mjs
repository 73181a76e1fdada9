/**
 * Writes a float model of random weights in shards, one a layer, with the tokenizer of another model: something of a large
 * model's shape to quantise.
 *
 *   node tooling/bench/float-model.mjs <folder> <shape> <layers> <folder of the tokenizer>
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes, SHAPES } from '@spikellm/benchmark';
import { writeSafetensors } from '@spikellm/checkpoint';
import { FAMILIES, globalWeights, layerWeights, parseModel } from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';

const [folder, shape, layers, tokenizer] = process.argv.slice(2);
if (tokenizer === undefined) {
  console.error(
    'usage: node tooling/bench/float-model.mjs <folder> <shape> <layers> <folder of the tokenizer>',
  );
  process.exit(1);
}
const json = {
  architectures: ['LlamaForCausalLM'],
  model_type: FAMILIES[0].modelType,
  ...SHAPES[shape],
  num_hidden_layers: Number(layers),
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  torch_dtype: 'float16',
};
const model = parseModel(json);

/** Half-precision numbers of both signs between 2^-6 and 2^-5, the deviation of weights of a few thousand inputs. */
function halves(size, seed) {
  const values = new Uint16Array(randomBytes(2 * size, seed).buffer, 0, size);
  for (let i = 0; i < size; i++) values[i] = (values[i] & 0x83ff) | (9 << 10);
  return values;
}
const ONE = 15 << 10;

await mkdir(folder, { recursive: true });
const weightMap = {};
const shards = [globalWeights(model), ...model.layers.map(layerWeights)];
for (const [index, entries] of shards.entries()) {
  const name = `model-${String(index + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
  const tensors = entries.map((entry, i) => {
    const size = entry.shape.reduce((product, dim) => product * dim, 1);
    const data = entry.shape.length === 1 ? new Uint16Array(size).fill(ONE) : halves(size, 100 * index + i);
    weightMap[entry.name] = name;
    return [entry.name, new Tensor('float16', data, entry.shape)];
  });
  await writeSafetensors(join(folder, name), tensors);
}
await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
await writeFile(join(folder, 'config.json'), JSON.stringify(json, undefined, 2));
for (const file of ['tokenizer.json', 'tokenizer_config.json'])
  await cp(join(tokenizer, file), join(folder, file));
