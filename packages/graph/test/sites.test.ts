/** The places of a layer where activations may be spikes. */
import { expect, it } from 'vitest';
import { attentionOf, buildGraph, cacheSites, inputSites, parseModel, type Edge } from '../src/index.ts';
import { TINY_CONFIG } from './tiny.ts';

const X: Edge = { name: 'x', width: 12 };
const [layer] = parseModel(TINY_CONFIG).layers;

it('are what the linears of a layer read, in the order in which they are read', () => {
  const sites = inputSites(layer).map(({ name, channels, readers }) => [
    name,
    channels,
    readers.map((linear) => linear.name),
  ]);
  expect(sites).toEqual([
    ['qkv', 16, ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']],
    ['o', 16, ['self_attn.o_proj']],
    ['gate_up', 16, ['mlp.gate_proj', 'mlp.up_proj']],
    ['down', 24, ['mlp.down_proj']],
  ]);
  for (const { edge, readers } of inputSites(layer))
    for (const { inputs } of readers) expect(inputs.x).toBe(edge);
});

it('are keys and values as attention remembers them', () => {
  const attention = attentionOf(layer);
  expect(cacheSites(layer)).toEqual([
    { name: 'key', attention, channels: 8 },
    { name: 'value', attention, channels: 8 },
  ]);
});

it('are named by the readers of any family', () => {
  const graph = buildGraph(X, (g, x) => {
    const fc1 = g.activation('relu', g.linear('fc1', x, 4));
    return g.add(g.linear('mlp.fc2', fc1, 12), g.linear('self_attn.out_proj', x, 12));
  });
  expect(inputSites(graph).map(({ name }) => name)).toEqual(['fc1_out', 'fc2']);
});

it('do not change their names where an input is rotated', () => {
  const [rotated] = parseModel({ ...TINY_CONFIG, down_rotation: 'hadamard' }).layers;
  expect(inputSites(rotated).map(({ name }) => name)).toEqual(inputSites(layer).map(({ name }) => name));
});

it('need the one attention of a layer', () => {
  const attend = (g: Parameters<Parameters<typeof buildGraph>[1]>[0], name: string, x: Edge): Edge =>
    g.attention(name, x, x, x, { heads: 1, kvHeads: 1 });
  expect(() => attentionOf(buildGraph(X, (g, x) => g.add(x, x)))).toThrow('a layer without one attention');
  const two = buildGraph(X, (g, x) => g.add(attend(g, 'a', x), attend(g, 'b', x)));
  expect(() => attentionOf(two)).toThrow('a layer without one attention');
});
