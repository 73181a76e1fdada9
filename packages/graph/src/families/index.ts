/** All families. To add one is to add its file and its line. */
import { buildGraph } from '../ir/builder.ts';
import { rotateInputs } from '../ir/rotate.ts';
import { TOKEN_IDS, type LayerGraph, type ModelGraph } from '../model.ts';
import { checkBounds } from './bounds.ts';
import type { Family } from './family.ts';
import { unsupported, type Json } from './fields.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3, gemma3Text } from './gemma3.ts';
import { granite } from './granite.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { olmo2 } from './olmo2.ts';
import { opt } from './opt.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { smollm3 } from './smollm3.ts';

export const FAMILIES: readonly Family[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  smollm3,
  gemma2,
  gemma3Text,
  gemma3,
  phi3,
  granite,
  olmo2,
  opt,
];

/**
 * The meaning of a Hugging Face `config.json`.
 * Errors: UNSUPPORTED (family, activation, rope scaling), INVALID_ARGUMENT (a field that contradicts).
 */
export function parseModel(json: Json): ModelGraph {
  const family = FAMILIES.find(({ modelType }) => modelType === json.model_type);
  if (family === undefined) {
    throw unsupported(
      `model_type among ${FAMILIES.map(({ modelType }) => modelType).join(', ')}`,
      json.model_type,
      'models of other families cannot be read yet',
    );
  }
  const blueprint = family.read(json);
  const { config, rotary, stacked, layersPrefix = 'model.layers.' } = blueprint;
  checkBounds(config);
  const x = { name: 'x', width: config.hiddenSize };
  const built = new Map<string, Pick<LayerGraph, 'input' | 'output' | 'nodes'>>();
  const layers = Array.from({ length: config.layers }, (_, index): LayerGraph => {
    const parameters = blueprint.parameters(index);
    const key = JSON.stringify(parameters);
    const plain = built.get(key) ?? buildGraph(x, (g, input) => blueprint.layer(g, input, parameters));
    built.set(key, plain);
    return { ...plain, index, prefix: `${layersPrefix}${index}.` };
  });
  const model: ModelGraph = {
    config,
    rotary,
    ...(stacked !== undefined && { stacked }),
    layers,
    embed: buildGraph(TOKEN_IDS, (g, ids) => blueprint.embed(g, ids)),
    head: buildGraph(x, (g, input) => blueprint.head(g, input)),
  };
  return config.downRotation === undefined ? model : rotateInputs(model);
}
