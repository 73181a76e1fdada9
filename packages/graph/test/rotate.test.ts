/** Rotations that a model does as it runs. */
import { createReferenceBackend, createRunner, type HostTensor } from '@spikellm/backend';
import { expect, it } from 'vitest';
import {
  buildGraph,
  nodesOf,
  parseModel,
  printGraph,
  producerOf,
  rotateInputs,
  rotatesOnline,
  type ModelGraph,
} from '../src/index.ts';
import { floatTensors, largestDifference, loadTensors, logitsOf, TINY_CONFIG, tinyIds } from './tiny.ts';

const plain = parseModel(TINY_CONFIG);
const rotatedConfig = { ...TINY_CONFIG, down_rotation: 'hadamard' };

it('turns what down reads, and nothing else', () => {
  const model = rotateInputs(plain);
  expect(model.config).toEqual({ ...plain.config, downRotation: 'hadamard' });
  const [layer] = model.layers;
  const [before] = plain.layers;
  expect(
    printGraph(layer)
      .split('\n')
      .filter((line) => !printGraph(before).includes(line)),
  ).toEqual([
    'mlp.gate_proj.gated.hadamard [24] = Hadamard rotation (mlp.gate_proj.gated)',
    'mlp.down_proj [16] = linear 24 -> 16 (mlp.gate_proj.gated.hadamard)',
  ]);
  expect([model.embed, model.head, model.rotary]).toEqual([plain.embed, plain.head, plain.rotary]);
});

it('is what config.json asks for', () => {
  expect(parseModel(rotatedConfig)).toEqual(rotateInputs(plain));
});

it('shares the nodes of layers that are alike', () => {
  const [first, second] = rotateInputs(plain).layers;
  expect(second.nodes).toBe(first.nodes);
  expect([first.index, second.index, second.prefix]).toEqual([0, 1, 'model.layers.1.']);
});

it('leaves the output of the graph what it was, so that what reads it still does', () => {
  const [layer] = rotateInputs(plain).layers;
  expect(producerOf(layer, layer.output)?.kind).toBe('add');
});

it('rotates an input once for all its readers, and none that a norm or attention makes', () => {
  const x = { name: 'x', width: 4 };
  const graph = buildGraph(x, (g) => {
    const a = g.rmsNorm('norm', x, { eps: 1 });
    const attended = g.attention('attn', a, a, a, { heads: 1, kvHeads: 1 });
    const active = g.activation('relu', g.add(g.linear('of_norm', a, 4), g.linear('of_attn', attended, 4)));
    return g.add(g.linear('one', active, 4), g.linear('two', active, 4));
  });
  const model: ModelGraph = { ...plain, layers: [{ ...graph, index: 0, prefix: 'model.layers.0.' }] };
  const [rotated] = rotateInputs(model).layers;
  const [hadamard, ...more] = nodesOf(rotated, 'hadamard');
  expect(more).toEqual([]);
  const readers = nodesOf(rotated, 'linear').filter(({ inputs }) => inputs.x === hadamard.output);
  expect(readers.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(nodesOf(graph, 'linear').map(({ inputs }) => rotatesOnline(graph, inputs.x))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

/** A weight whose rows are rotated as the inputs that they meet are. */
async function rotatedRows(weight: HostTensor): Promise<HostTensor> {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const { y } = runner.run('hadamard_f32', { x: runner.upload(weight) });
  return { ...weight, data: (await backend.read(y)).data as Float32Array };
}

it('is the same model where the weights of down are rotated too', async () => {
  using backend = createReferenceBackend();
  const tensors = floatTensors(TINY_CONFIG);
  using decoder = await loadTensors(backend, TINY_CONFIG, tensors);
  const turned = new Map(tensors);
  for (const layer of [0, 1]) {
    const name = `model.layers.${layer}.mlp.down_proj.weight`;
    turned.set(name, await rotatedRows(tensors.get(name)!));
  }
  using rotated = await loadTensors(backend, rotatedConfig, turned);
  using unturned = await loadTensors(backend, rotatedConfig, tensors);
  const want = await logitsOf(decoder, tinyIds(9));
  expect(largestDifference(await logitsOf(rotated, tinyIds(9)), want)).toBeLessThan(1e-4);
  expect(largestDifference(await logitsOf(unturned, tinyIds(9)), want)).toBeGreaterThan(1e-2);
});
