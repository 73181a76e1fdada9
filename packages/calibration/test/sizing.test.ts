/** What is said before a run, against what the backend then holds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { parseModel } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_SETTINGS,
  estimateRun,
  measureRates,
  quantize,
  sizeRun,
  type QuantizeSettings,
  type SizingOptions,
} from '../src/index.ts';
import { layerParameters } from '../src/sizing/pipeline-size.ts';
import { proportionalLayer } from '../src/sizing/proportional.ts';
import { TINY_CONFIG, tinyFamilies, tinyWindows, writeTinyModel } from './tiny-model.ts';

const [samples, length] = [3, 40];
const TRAINED: QuantizeSettings = {
  ...DEFAULT_SETTINGS,
  pipeline: 'omniquant',
  steps: 1,
  options: { epochs: 1 },
};
const shape = { ...TINY_CONFIG, hidden_size: 64, intermediate_size: 160 };
const sizing = (layers: number, changes: Partial<SizingOptions> = {}): SizingOptions => ({
  graph: parseModel({ ...shape, num_hidden_layers: layers }),
  settings: TRAINED,
  samples,
  length,
  memory: 0,
  storedBytes: 4,
  ...changes,
});
const peak = (options: SizingOptions): number =>
  Math.max(...sizeRun(options).parts.map(({ bytes }) => bytes));

let folder: string;
/** The most bytes on the backend while models of two and of three layers are trained. */
const held = new Map<number, number>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikellm-sizing-'));
  for (const layers of [2, 3]) held.set(layers, await train(layers));
});
afterAll(() => rm(folder, { recursive: true }));

async function train(layers: number): Promise<number> {
  using backend = createReferenceBackend();
  const config = { ...shape, num_hidden_layers: layers };
  await using model = await openModelFolder(await writeTinyModel(join(folder, `${layers}`), { config }));
  let most = 0;
  await quantize({
    model,
    out: join(folder, `${layers} out`),
    backend,
    settings: TRAINED,
    windows: tinyWindows(samples, length),
    memory: 0,
    onProgress: () => void (most = Math.max(most, backend.liveBytes)),
  });
  return most;
}

describe('memory', () => {
  it('is no more for another layer, said and held', () => {
    expect(peak(sizing(3))).toBe(peak(sizing(2)));
    expect(held.get(3)).toBe(held.get(2));
  });

  it('has room for what training holds on the device, which is most of it', () => {
    const said = sizeRun(sizing(2)).parts.find(({ part }) => part === 'train')!.bytes;
    expect(said).toBeGreaterThan(held.get(2)!);
    expect(said).toBeLessThan(2.5 * held.get(2)!);
  });

  it('grows by what may stay there, up to all activations', () => {
    const streams = 2 * samples * length * 64 * 4;
    const more = (memory: number): number => peak(sizing(2, { memory })) - peak(sizing(2));
    expect(more(1000)).toBe(1000);
    expect(more(2 ** 40)).toBe(streams);
    expect(sizeRun(sizing(2)).spilledBytes).toBe(streams);
    expect(sizeRun(sizing(2, { memory: 2 ** 40 })).spilledBytes).toBe(0);
  });
});

it('has room for the stream that waits while a layer is encoded', () => {
  const settings: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'smoothquant' };
  const said = (memory: number): number =>
    sizeRun(sizing(2, { settings, memory })).parts.find(({ part }) => part === 'encode')!.bytes;
  expect(said(2 ** 40) - said(0)).toBe(samples * length * 64 * 4);
});

describe('GPTQ', () => {
  const COMPENSATED: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'gptq' };
  const said = (options: SizingOptions): number =>
    sizeRun(options).parts.find(({ part }) => part === 'compensate')!.bytes;
  const large = (layers: number, intermediate_size: number, changes: Partial<SizingOptions> = {}) =>
    sizing(layers, {
      graph: parseModel({
        ...shape,
        hidden_size: 1024,
        intermediate_size,
        num_hidden_layers: layers,
      }),
      settings: COMPENSATED,
      ...changes,
    });

  it('has room for what it holds on the device and for the weights on the host', async () => {
    using backend = createReferenceBackend();
    let most = 0;
    const watched: Backend = {
      ...backend,
      read(...given) {
        most = Math.max(most, backend.liveBytes);
        return backend.read(...given);
      },
    };
    const config = { ...shape, num_hidden_layers: 2 };
    await using model = await openModelFolder(await writeTinyModel(join(folder, 'gptq'), { config }));
    const out = join(folder, 'gptq out');
    await quantize({
      model,
      out,
      backend: watched,
      settings: COMPENSATED,
      windows: tinyWindows(samples, length),
      memory: 0,
    });
    const bytes = said(sizing(2, { settings: COMPENSATED }));
    expect(bytes).toBeGreaterThan(most + 4 * layerParameters(sizing(2).graph.layers[0]));
    expect(bytes).toBeLessThan(10 * most);
  });

  it('is no more for another layer, and 20 bytes more for each element of the largest Hessian', () => {
    expect(said(large(9, 4096))).toBe(said(large(8, 4096)));
    const [more, less] = [said(large(8, 4096)), said(large(8, 4032))];
    // Weights: float32 in host memory, and the largest twice more.
    const weights = (3 * 4 + 2 * 4) * 1024 * (4096 - 4032);
    expect(more - less).toBe(20 * (4096 ** 2 - 4032 ** 2) + weights);
  });

  it.each([
    ['integers', {}],
    ['ternary', { weights: 'ternary', meanSteps: 2 }],
    ['ternary', { weights: 'ternary', salientWeights: 0.5 }],
    ['ternary in groups', { weights: 'ternary', weightGroup: 16 }],
    ['ternary elements', { weights: 'ternary', weightUnit: 'element' }],
    ['ternary elements in groups', { weights: 'ternary', weightUnit: 'element', weightGroup: 16 }],
    ['ternary of one step in groups', { weights: 'ternary', salientWeights: 0, weightGroup: 16 }],
  ] as const)('says the size of a checkpoint within a tenth: %s', async (name, changes) => {
    using backend = createReferenceBackend();
    const settings = { ...COMPENSATED, options: changes };
    const config = { ...shape, num_hidden_layers: 1 };
    const path = join(folder, `${name} ${JSON.stringify(changes).length}`);
    await using model = await openModelFolder(await writeTinyModel(path, { config }));
    const windows = tinyWindows(samples, length);
    await quantize({ model, out: `${path} out`, backend, settings, windows });
    const { checkpointBytes } = sizeRun(sizing(1, { settings }));
    expect(Math.abs(checkpointBytes / (await bytesOf(`${path} out`)) - 1)).toBeLessThan(0.1);
  });
});

it('says that rotated tables are two, in float32, and pass through copies', () => {
  const options = sizing(2, { storedBytes: 2 });
  const { config } = options.graph;
  const rotated = { ...options, settings: { ...options.settings, rotate: 'hadamard' as const } };
  const table = config.vocabularySize * config.hiddenSize;
  expect(sizeRun(rotated).checkpointBytes - sizeRun(options).checkpointBytes).toBe((2 * 4 - 2) * table);
  const written = sizeRun(rotated).parts.find(({ part }) => part === 'tables')!;
  expect(written.bytes).toBe((2 * 4 + 4 * 4 + 2) * table);
});

/** Bytes of the tensors of a folder. */
async function bytesOf(path: string): Promise<number> {
  await using written = await openModelFolder(path);
  let bytes = 0;
  for (const name of written.tensors.names()) bytes += written.tensors.info(name)!.bytes;
  return bytes;
}

describe.each(tinyFamilies)('a %s', (modelType, tiny) => {
  const config = { ...tiny, hidden_size: 64, intermediate_size: 160 };
  const settings: QuantizeSettings = { ...DEFAULT_SETTINGS, weightBits: 8 };
  const options = sizing(2, { graph: parseModel(config), settings });

  it('has a checkpoint of the size that is said, within a tenth', async () => {
    using backend = createReferenceBackend();
    await using model = await openModelFolder(await writeTinyModel(join(folder, modelType), { config }));
    const out = join(folder, `${modelType} out`);
    await quantize({ model, out, backend, settings, windows: tinyWindows(samples, length) });
    expect(Math.abs(sizeRun(options).checkpointBytes / (await bytesOf(out)) - 1)).toBeLessThan(0.1);
  });

  it('has a layer of fewer channels that runs, for measurements', async () => {
    using backend = createReferenceBackend();
    const [layer] = options.graph.layers;
    const small = proportionalLayer(layer, layerParameters(layer) / 3);
    expect(layerParameters(small)).toBeLessThan(layerParameters(layer) / 2);
    const graph = { ...options.graph, layers: [small] };
    const { common } = await measureRates(backend, graph, settings, 8);
    for (const rate of Object.values(common)) expect(rate).toBeGreaterThan(0);
    expect(backend.liveBytes).toBe(0);
  });
});

it('says the size of a checkpoint within a tenth', async () => {
  const { checkpointBytes } = sizeRun(sizing(2));
  expect(Math.abs(checkpointBytes / (await bytesOf(join(folder, '2 out'))) - 1)).toBeLessThan(0.1);
});

it('says times that grow with layers and epochs', async () => {
  using backend = createReferenceBackend();
  const options = sizing(2);
  const rates = await measureRates(backend, options.graph, options.settings, length);
  for (const rate of [rates.common, rates.own.get('gptq')].flatMap((each) => Object.values(each as object)))
    expect(rate).toBeGreaterThan(0);
  const { seconds, secondsPerLayer } = estimateRun(options, rates);
  expect(seconds).toBeCloseTo(2 * secondsPerLayer);
  const longer = { ...TRAINED, options: { epochs: 5 } };
  expect(estimateRun({ ...options, settings: longer }, rates).seconds).toBeGreaterThan(2 * seconds);
  const gptq: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'gptq' };
  const compensated = (changes: object): number =>
    estimateRun({ ...options, settings: gptq, ...changes }, rates).seconds;
  expect(compensated({ samples: 300 })).toBeGreaterThan(compensated({}));
  expect(backend.liveBytes).toBe(0);
});
