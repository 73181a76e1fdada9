/** The gradient pass, held against a model in float64. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { nodesOf, parseModel } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyScales,
  DEFAULT_SETTINGS,
  KEY_BLOCK,
  measureGradients,
  planFolds,
  STEP_CHOICES,
  type GradientPassOptions,
  type LayerMoments,
  type QuantizeSettings,
} from '../src/index.ts';
import { stepSites } from '../src/gradients/step-sites.ts';
import { lossInFloat64, type Move } from './float64.ts';
import { TINY_CONFIG, tinyTensors, tinyWindows, writeTinyModel } from './tiny-model.ts';

let folder: string;
let source: string;
const backend = createReferenceBackend();
const tensors = tinyTensors();
const graph = parseModel(TINY_CONFIG);
const windows = tinyWindows(3, 40);
const FISHER: QuantizeSettings = { ...DEFAULT_SETTINGS, saliency: 'fisher' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikellm-gradients-'));
  source = await writeTinyModel(join(folder, 'source'), { tensors });
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  backend.dispose();
});

async function measure(
  settings: QuantizeSettings,
  of = windows,
  { path = source, ...options }: { path?: string } & Partial<GradientPassOptions> = {},
): Promise<LayerMoments[]> {
  await using model = await openModelFolder(path);
  return await measureGradients({
    graph: parseModel(model.config),
    tensors: model.tensors,
    backend,
    settings,
    windows: of,
    choices: STEP_CHOICES,
    spilling: { memory: 2 ** 30, folder },
    ...options,
  });
}

describe('gradients are those of the loss', () => {
  const shape = { ...TINY_CONFIG, num_hidden_layers: 2 };
  const two = parseModel(shape);
  const weights = tinyTensors(shape);
  let path: string;
  beforeAll(async () => {
    path = await writeTinyModel(join(folder, 'two'), { config: shape, tensors: weights });
  });

  const short = tinyWindows(2, 5);
  const some = (channels: number): number[] => [...Array(channels).keys()].filter((j) => j % 3 === 0);
  it.each([
    ['inputs of linears, keys and values', { key: 'token' }, /./],
    ['inputs of single linears', { key: 'float', mask: 'own' }, /q_proj|v_proj|up_proj/],
    ['keys and values of query heads', { key: 'whole' }, /key|value/],
  ] as const)('%s', async (_, changes, names) => {
    const settings = { ...FISHER, ...changes };
    const repeated = settings.key === 'whole';
    const moments = await measure(settings, short, { path });
    expect(moments).toHaveLength(2);
    for (const [layer, found] of moments.entries()) {
      for (const { name, linears, channels } of stepSites(two.layers[layer], settings, 5)) {
        if (!names.test(name)) continue;
        const { gradients } = found.get(name)!;
        expect(gradients).toHaveLength(channels);
        const readers = linears.length > 0 ? linears : [name];
        for (const channel of some(channels)) {
          const want = meanSquare(short, { layer, readers, channel, repeated });
          expect(Math.abs(gradients[channel] - want)).toBeLessThan(
            1e-3 * want + 1e-5 * Math.max(...gradients),
          );
        }
      }
    }
  });

  it('keys once their block is closed', async () => {
    const long = tinyWindows(1, 35);
    const { gradients } = (await measure({ ...FISHER, key: 'block' }, long, { path }))[1].get('key')!;
    const want = meanSquare(long, { layer: 1, readers: ['key'], channel: 3, block: KEY_BLOCK });
    expect(gradients[3] / want).toBeCloseTo(1, 3);
  });

  /** Mean over tokens of the squared derivative, by central differences. */
  function meanSquare(of: readonly number[][], move: Omit<Move, 'token' | 'by'>): number {
    const squares = of.flatMap((ids) =>
      ids.map((_, token) => {
        const at = (by: number): number => lossInFloat64(weights, two, ids, { ...move, token, by });
        return ((at(1e-5) - at(-1e-5)) / 2e-5) ** 2;
      }),
    );
    return squares.reduce((sum, square) => sum + square, 0) / squares.length;
  }
});

it('errors are those of the encoding', async () => {
  const [first] = await measure({ ...FISHER, key: 'float' });
  const table = tensors.get('model.embed_tokens.weight')!.data as Float32Array;
  const norm = tensors.get('model.layers.0.input_layernorm.weight')!.data as Float32Array;
  const { hiddenSize: C } = graph.config;
  const [{ eps }] = nodesOf(graph.layers[0], 'norm');
  for (const T of STEP_CHOICES) {
    const sums = new Float64Array(C);
    for (const id of windows.flat()) {
      const row = table.subarray(id * C, (id + 1) * C);
      const root = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / C + eps);
      const x = Array.from(row, (value, j) => (value * norm[j]) / root);
      const scale = (Math.max(...x) - Math.min(...x)) / (T * 15);
      x.forEach((value, j) => (sums[j] += (Math.round(value / scale) * scale - value) ** 2));
    }
    const got = first.get('qkv')!.errors.get(T)!;
    const count = windows.flat().length;
    sums.forEach((sum, j) => expect(got[j] / (sum / count)).toBeCloseTo(1, 3));
  }
});

describe('one layer at a time', () => {
  /** The most bytes on the backend while gradients of a model of so many layers are measured. */
  async function peak(layers: number, memory: number): Promise<number> {
    const shape = { ...TINY_CONFIG, num_hidden_layers: layers };
    const path = await writeTinyModel(join(folder, `deep ${layers} ${memory}`), { config: shape });
    let most = 0;
    const onProgress = (): void => void (most = Math.max(most, backend.liveBytes));
    await measure(FISHER, windows, { path, spilling: { memory, folder }, onProgress });
    return most;
  }

  it('holds no more for more layers where activations are on disk', async () => {
    expect(await peak(5, 0)).toBe(await peak(2, 0));
    expect(await peak(2, 2 ** 30)).toBeGreaterThan(await peak(2, 0));
  });

  it('measures the same in memory and on disk, and leaves nothing behind', async () => {
    const before = backend.liveBytes;
    expect(await measure(FISHER, windows, { spilling: { memory: 0, folder } })).toEqual(
      await measure(FISHER),
    );
    expect(backend.liveBytes).toBe(before);
    expect((await readdir(folder)).filter((name) => name.endsWith('.stream'))).toEqual([]);
  });
});

it('measures a layer as it is encoded: what is folded into it divides inputs and multiplies gradients', async () => {
  const scales = new Float64Array(graph.config.hiddenSize).fill(2);
  const qkv: number[] = [];
  const plain = await measure(FISHER);
  const folded = await measure(FISHER, windows, {
    fold(weights, layer, { absmax }) {
      qkv.push(absmax.qkv[3]);
      return applyScales(weights, planFolds(layer), { qkv: scales });
    },
  });
  expect(qkv.every((largest) => largest > 0)).toBe(true);
  expect(qkv).toHaveLength(3);
  for (const [layer, places] of folded.entries()) {
    for (const name of ['qkv', 'o', 'down', 'key']) {
      const [got, want] = [places.get(name)!, plain[layer].get(name)!];
      const factor = name === 'qkv' ? 4 : 1;
      got.gradients.forEach((value, j) => expect(value / (want.gradients[j] * factor)).toBeCloseTo(1, 3));
      for (const T of STEP_CHOICES) {
        const [errors, unfolded] = [got.errors.get(T)!, want.errors.get(T)!];
        errors.forEach((value, j) => expect((value * factor) / unfolded[j]).toBeCloseTo(1, 2));
      }
    }
  }
});
