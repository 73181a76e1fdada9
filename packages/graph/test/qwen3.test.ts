import { TINY_CONFIGS } from '@spikellm/fixtures';
import { expect, it } from 'vitest';
import { layerWeights, nodesOf, parseModel } from '../src/index.ts';

const { layers, config } = parseModel(TINY_CONFIGS.qwen3);

it('norms queries and keys of each head before they are rotated', () => {
  const [layer] = layers;
  const norms = nodesOf(layer, 'norm').filter(({ groups }) => groups > 1);
  expect(norms.map(({ name, groups }) => [name, groups])).toEqual([
    ['self_attn.q_norm', config.heads],
    ['self_attn.k_norm', config.kvHeads],
  ]);
  const rotated = nodesOf(layer, 'rotary').map(({ inputs }) => inputs.x);
  expect(rotated).toEqual(norms.map(({ output }) => output));
});

it('has one weight for all heads, and heads of a size of their own', () => {
  const shapes = new Map(layerWeights(layers[0]).map(({ name, shape }) => [name, shape]));
  expect(shapes.get('model.layers.0.self_attn.q_norm.weight')).toEqual([config.headSize]);
  expect(config.headSize * config.heads).not.toBe(config.hiddenSize);
  expect(shapes.has('model.layers.0.self_attn.q_proj.bias')).toBe(false);
});
