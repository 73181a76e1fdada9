/** Experts: routing in float, linears that are sites of their own. */
import { createReferenceBackend } from '@spikellm/backend';
import { TINY_CONFIGS } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { buildGraph, inputSites, layerWeights, nodesOf, parseModel, printGraph } from '../src/index.ts';
import { floatTensors, loadTensors, logitsOf, tinyIds } from './tiny.ts';

const { mixtral, qwen3_moe: qwen } = TINY_CONFIGS;

it('are linears of the graph behind a router that stays in float', () => {
  const [layer] = parseModel(mixtral).layers;
  const routers = layerWeights(layer).filter(({ role }) => role === 'router');
  expect(routers.map(({ name, shape, lowestPrecision }) => [name, shape, lowestPrecision])).toEqual([
    ['model.layers.0.block_sparse_moe.gate.weight', [3, 16], 'float32'],
  ]);
  expect(inputSites(layer).map(({ name, readers }) => [name, readers.length])).toEqual([
    ['qkv', 3],
    ['o', 1],
    ['w1_w3', 6],
    ['experts.0.w2', 1],
    ['experts.1.w2', 1],
    ['experts.2.w2', 1],
  ]);
  expect(printGraph(layer)).toContain('block_sparse_moe.gate [3] = router 16 -> 3');
  expect(printGraph(layer)).toContain('the 2 largest, adding up to 1 (block_sparse_moe.gate)');
});

it('are only in the layers that have them', () => {
  const withExperts = (change: object): boolean[] =>
    parseModel({ ...qwen, num_hidden_layers: 4, ...change }).layers.map(
      (layer) => nodesOf(layer, 'route').length > 0,
    );
  expect(withExperts({})).toEqual([true, false, true, true]);
  expect(withExperts({ mlp_only_layers: [] })).toEqual([true, true, true, true]);
  expect(withExperts({ mlp_only_layers: [3], decoder_sparse_step: 2 })).toEqual([false, true, false, false]);
});

it('may be counted by either name', () => {
  const { num_experts: count, ...rest } = qwen;
  expect(parseModel({ ...rest, num_local_experts: count }).layers).toEqual(parseModel(qwen).layers);
});

it('compute what the tokens that they get would make of them alone', async () => {
  using backend = createReferenceBackend();
  // One expert for each token: where all are alike, it does not matter which.
  const json = { ...qwen, num_experts_per_tok: 1, norm_topk_prob: true, mlp_only_layers: [] };
  const tensors = floatTensors(json);
  for (const [name, tensor] of tensors) {
    const first = name.replace(/experts\.\d+/, 'experts.0');
    if (first !== name) tensors.set(name, { ...tensor, data: tensors.get(first)!.data });
  }
  using all = await loadTensors(backend, json, tensors);
  const one = new Map([...tensors].filter(([name]) => !/experts\.[1-9]/.test(name)));
  for (const [name, tensor] of one)
    if (name.endsWith('mlp.gate.weight'))
      one.set(name, { ...tensor, dims: [1, 16], data: (tensor.data as Float32Array).subarray(0, 16) });
  using single = await loadTensors(backend, { ...json, num_experts: 1 }, one);
  const ids = tinyIds(8);
  expect(await logitsOf(all, ids)).toEqual(await logitsOf(single, ids));
});

describe('what does not fit is refused', () => {
  it('in config.json', () => {
    expect(() => parseModel({ ...mixtral, num_experts_per_tok: 4 })).toThrow(
      'expected num_experts_per_tok to be at most num_experts (3), received 4',
    );
    expect(() => parseModel({ ...qwen, num_experts: 5000 })).toThrow(
      'expected num_experts to be at most 4096, received 5000',
    );
  });

  it('in a graph', () => {
    const x = { name: 'x', width: 4 };
    expect(() => buildGraph(x, (g) => g.route(x, { top: 5, renormalised: true }))).toThrow(
      '5 of the 4 experts of x',
    );
    expect(() => buildGraph(x, (g) => g.weigh(x, x, 4))).toThrow('column 4 of x [4]');
  });
});
