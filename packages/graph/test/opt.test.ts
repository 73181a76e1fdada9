import { TINY_CONFIGS } from '@spikellm/fixtures';
import { expect, it } from 'vitest';
import { globalWeights, nodesOf, parseModel, tables } from '../src/index.ts';

const config = TINY_CONFIGS.opt;
const kinds = (json: object): string[] => parseModel({ ...json }).layers[0].nodes.map(({ kind }) => kind);

it('norms before attention and MLP, or after their sums', () => {
  expect(kinds(config).filter((kind) => kind === 'norm' || kind === 'add')).toEqual([
    'norm',
    'add',
    'norm',
    'add',
  ]);
  const after = kinds({ ...config, do_layer_norm_before: false });
  expect(after.filter((kind) => kind === 'norm' || kind === 'add')).toEqual(['add', 'norm', 'add', 'norm']);
});

it('has a last norm only where norms come first', () => {
  const norms = (change: object) => nodesOf(parseModel({ ...config, ...change }).head, 'norm').length;
  expect(norms({})).toBe(1);
  expect(norms({ do_layer_norm_before: false })).toBe(0);
  expect(norms({ ['_remove_final_layer_norm']: true })).toBe(0);
});

it('adds a row by position, of which the first two are of no token', () => {
  const { embed } = parseModel(config);
  expect(nodesOf(embed, 'positions')).toMatchObject([{ rows: 66, first: 2, output: { width: 16 } }]);
});

it('has projections where the embedding is not as wide as the model, which stay in float', () => {
  const model = parseModel(config);
  const names = globalWeights(model).map(({ name, role, lowestPrecision }) => [
    name.replace(/^model\.decoder\./, ''),
    role,
    lowestPrecision,
  ]);
  expect(names).toEqual([
    ['embed_tokens.weight', 'table', 'float16'],
    ['project_in.weight', 'projection', 'float16'],
    ['embed_positions.weight', 'position', 'float16'],
    ['final_layer_norm.weight', 'norm', 'float32'],
    ['final_layer_norm.bias', 'bias', 'float32'],
    ['project_out.weight', 'projection', 'float16'],
  ]);
  expect(tables(model)).toHaveLength(1);
  const plain = globalWeights(parseModel({ ...config, word_embed_proj_dim: 16 }));
  expect(plain.some(({ role }) => role === 'projection')).toBe(false);
});

it('has biases unless config.json says otherwise', () => {
  const biases = (json: object): boolean[] =>
    nodesOf(parseModel({ ...json }).layers[0], 'linear').map(({ bias }) => bias);
  expect(biases(config)).toEqual([true, true, true, true, true, true]);
  expect(biases({ ...config, enable_bias: false })).toEqual([false, false, false, false, false, false]);
});

it('refuses what it does not compute', () => {
  expect(() => parseModel({ ...config, layer_norm_elementwise_affine: false })).toThrow(
    'expected norms with weights, received "layer_norm_elementwise_affine: false"',
  );
  expect(() => parseModel({ ...config, activation_function: 'tanh' })).toThrow(
    "expected activation_function 'relu' or 'gelu', received \"tanh\"",
  );
});
