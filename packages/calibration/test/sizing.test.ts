/** What is said before a run, against what the backend then holds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { parseDecoderConfig } from '@spikellm/graph';
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
import { TINY_CONFIG, tinyWindows, writeTinyModel } from './tiny-model.ts';

const [samples, length] = [3, 40];
const training = { ...DEFAULT_SETTINGS.training, epochs: 1 };
const TRAINED: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'omniquant', steps: 1, training };
const shape = { ...TINY_CONFIG, hidden_size: 64, intermediate_size: 160 };
const sizing = (layers: number, changes: Partial<SizingOptions> = {}): SizingOptions => ({
  config: parseDecoderConfig({ ...shape, num_hidden_layers: layers }),
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

it('says the size of a checkpoint within a tenth', async () => {
  const { checkpointBytes } = sizeRun(sizing(2));
  await using written = await openModelFolder(join(folder, '2 out'));
  let bytes = 0;
  for (const name of written.tensors.names()) bytes += written.tensors.info(name)!.bytes;
  expect(Math.abs(checkpointBytes / bytes - 1)).toBeLessThan(0.1);
});

it('says times that grow with layers and epochs', async () => {
  using backend = createReferenceBackend();
  const options = sizing(2);
  const rates = await measureRates(backend, options.config, options.settings, length);
  for (const rate of Object.values(rates)) expect(rate).toBeGreaterThan(0);
  const { seconds, secondsPerLayer } = estimateRun(options, rates);
  expect(seconds).toBeCloseTo(2 * secondsPerLayer);
  const longer = { ...TRAINED, training: { ...training, epochs: 5 } };
  expect(estimateRun({ ...options, settings: longer }, rates).seconds).toBeGreaterThan(2 * seconds);
  expect(backend.liveBytes).toBe(0);
});
