/** Graphs on a tape against the decoder that runs the same graphs, for every family. */
import { createReferenceBackend, createRunner, type HostTensor } from '@spikellm/backend';
import {
  memorySource,
  randomFloats,
  randomTensors,
  seeded,
  TINY_CONFIGS,
  tokenIds,
  type Tensors,
  type TinyConfig,
} from '@spikellm/fixtures';
import {
  FAMILIES,
  globalWeights,
  hostTensor,
  layerWeights,
  loadDecoder,
  loadEnd,
  nodesOf,
  parseModel,
  type LayerGraph,
  type ModelGraph,
} from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import {
  createTape,
  createWorkspace,
  prepareTapeGraph,
  type Tape,
  type TapeHooks,
  type Value,
} from '../src/index.ts';

const LENGTH = 9;
const CONFIGS: Readonly<Record<string, TinyConfig>> = TINY_CONFIGS;
const families = FAMILIES.map(({ modelType }) => [modelType, CONFIGS[modelType]] as const);
const ids = tokenIds(LENGTH);
const backend = createReferenceBackend();
const runner = createRunner(backend);
const workspace = createWorkspace(runner);
const tensorsOf = (model: ModelGraph): Tensors =>
  randomTensors([...globalWeights(model), ...model.layers.flatMap(layerWeights)]);
const read = async ({ tensor }: Value): Promise<Float32Array> =>
  (await backend.read(tensor)).data as Float32Array;
const largest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

/** Float weights below a prefix. A norm multiplies by what it stores and its offset. */
function floatHooks(tensors: Tensors, prefix: string): Pick<TapeHooks, 'norm' | 'linear'> {
  const of = (tape: Tape, name: string, offset: number): Value => {
    const { data, dims } = tensors.get(prefix + name)!;
    const values = (data as Float32Array).map((value) => offset + value);
    return tape.constant({ type: 'float32', data: values, dims });
  };
  const both = (tape: Tape, name: string, bias: boolean, offset = 0) => ({
    weight: of(tape, `${name}.weight`, offset),
    bias: bias ? of(tape, `${name}.bias`, 0) : undefined,
  });
  return {
    norm: (tape, { name, bias, offset }) => both(tape, name, bias, offset),
    linear: (tape, { name, bias }) => both(tape, name, bias),
  };
}

describe.each(families)('a tiny %s', (_, config) => {
  const model = parseModel(config);
  const tensors = tensorsOf(model);

  it('computes the logits of its decoder', async () => {
    using decoder = await loadDecoder({ backend, config, tensors: memorySource(tensors) });
    using cache = decoder.createCache(LENGTH);
    using logits = decoder.forward(ids, cache, { logits: 'all' });
    const want = (await backend.read(logits)).data as Float32Array;

    using tape = createTape(workspace);
    const embed = await loadEnd(runner, memorySource(tensors), model.embed);
    let x = tape.constant(embed(runner.upload(hostTensor('int32', Int32Array.from(ids)))));
    for (const graph of [...model.layers, model.head]) {
      const hooks = floatHooks(tensors, 'prefix' in graph ? (graph as LayerGraph).prefix : '');
      x = prepareTapeGraph(runner, graph, model.rotary, LENGTH).forward(tape, x, hooks);
    }
    const got = await read(x);
    expect(got).toHaveLength(want.length);
    expect(largest(got, want)).toBeLessThan(1e-4);
  });

  it('has the gradient of a layer that differences give', async () => {
    const [layer] = model.layers;
    const graph = prepareTapeGraph(runner, layer, model.rotary, LENGTH);
    const hooks = floatHooks(tensors, layer.prefix);
    const random = seeded(3);
    const dims = [LENGTH, layer.input.width];
    const [x, along, target] = [1, 0.1, 1].map((size) => randomFloats(random, dims, size));
    const onDevice = runner.upload(target);
    const at = (by: number): HostTensor => {
      const data = (x.data as Float32Array).map((value, i) => value + by * (along.data as Float32Array)[i]);
      return { type: 'float32', dims, data };
    };
    const loss = async (by: number): Promise<number> => {
      using tape = createTape(workspace);
      const y = graph.forward(tape, tape.constant(at(by)), hooks);
      const each = await read(tape.squaredError(y, onDevice));
      return each.reduce((sum, value) => sum + value, 0) / each.length;
    };
    using tape = createTape(workspace);
    const start = tape.parameter(at(0));
    const gradients = tape.backward(tape.squaredError(graph.forward(tape, start, hooks), onDevice));
    const gradient = (await backend.read(gradients.get(start)!)).data as Float32Array;
    const slope = gradient.reduce((sum, value, i) => sum + value * (along.data as Float32Array)[i], 0);
    const step = 0.02;
    const difference = ((await loss(step)) - (await loss(-step))) / (2 * step);
    expect(Math.abs(slope - difference)).toBeLessThan(1e-3 * Math.abs(difference) + 1e-4);
  });

  it('offers everything that spikes may carry, once in each pass', () => {
    const [layer] = model.layers;
    const places: string[] = [];
    using tape = createTape(workspace);
    const x = tape.constant(randomFloats(seeded(1), [LENGTH, layer.input.width], 1));
    prepareTapeGraph(runner, layer, model.rotary, LENGTH).forward(tape, x, {
      ...floatHooks(tensors, layer.prefix),
      carry(_tape, place, value) {
        places.push(place);
        return value;
      },
    });
    const linears = nodesOf(layer, 'linear').map(({ name }) => name);
    expect(places.toSorted()).toEqual([...linears, 'query', 'key', 'value'].toSorted());
  });
});

describe('keys of blocks', () => {
  const model = parseModel(TINY_CONFIGS.llama);
  const [layer] = model.layers;
  const tensors = tensorsOf(model);
  const graph = prepareTapeGraph(runner, layer, model.rotary, LENGTH);

  /** The output of the layer where other keys are carried. */
  async function output(carried: boolean, keyBlock?: number): Promise<Float32Array> {
    using tape = createTape(workspace);
    const x = tape.constant(randomFloats(seeded(1), [LENGTH, layer.input.width], 1));
    const carry: TapeHooks['carry'] = (_, place, value) => (place === 'key' ? tape.add(value, value) : value);
    return read(
      graph.forward(tape, x, { ...floatHooks(tensors, layer.prefix), keyBlock, ...(carried && { carry }) }),
    );
  }

  it('are seen as they are carried, but by the queries of their own block', async () => {
    const [plain, all] = [await output(false), await output(true)];
    expect(largest(await output(true, LENGTH), plain)).toBeLessThan(1e-6);
    const blocks = await output(true, 4);
    const C = layer.input.width;
    expect(largest(blocks.subarray(0, 4 * C), plain.subarray(0, 4 * C))).toBeLessThan(1e-6);
    expect(largest(blocks.subarray(4 * C), plain.subarray(4 * C))).toBeGreaterThan(1e-3);
    expect(largest(blocks.subarray(4 * C), all.subarray(4 * C))).toBeGreaterThan(1e-3);
  });
});

it('begin behind the embedding, for tokens have no gradient', () => {
  const { embed, rotary } = parseModel(TINY_CONFIGS.llama);
  using tape = createTape(workspace);
  const x = tape.constant(runner.upload({ type: 'int32', data: Int32Array.of(1), dims: [1] }));
  const hooks = floatHooks(new Map(), '');
  expect(() => prepareTapeGraph(runner, embed, rotary, 1).forward(tape, x, hooks)).toThrow(
    'graph: tokens have no gradient',
  );
});
