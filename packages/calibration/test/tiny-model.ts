/** The tiny models of the fixtures, in folders and in memory, and what tests ask of them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '@spikellm/backend';
import { writeSafetensors } from '@spikellm/checkpoint';
import { randomTensors, TINY_CONFIGS, tokenIds, type Tensors, type TinyConfig } from '@spikellm/fixtures';
import {
  FAMILIES,
  globalWeights,
  layerWeights,
  loadDecoder,
  parseModel,
  type TensorSource,
} from '@spikellm/graph';
import { toTensor } from '../src/encode.ts';

export type { Tensors };
type Json = Readonly<Record<string, unknown>>;

/** Three layers, so that one is neither the first nor the last. */
export const TINY_CONFIG = { ...TINY_CONFIGS.llama, num_hidden_layers: 3 };

/** The tiny model of every registered family. */
export const tinyFamilies: readonly (readonly [modelType: string, config: TinyConfig])[] = FAMILIES.map(
  ({ modelType }) => [modelType, (TINY_CONFIGS as Readonly<Record<string, TinyConfig>>)[modelType]] as const,
);

/** Weights of a tiny model from a seed. */
export function tinyTensors(config: Json = TINY_CONFIG, seed = 7): Tensors {
  const model = parseModel(config);
  return randomTensors([...globalWeights(model), ...model.layers.flatMap(layerWeights)], seed);
}

/** A model folder with those weights. */
export async function writeTinyModel(
  folder: string,
  { config = TINY_CONFIG, tensors = tinyTensors(config) }: { config?: Json; tensors?: Tensors } = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, 'model.safetensors'), Array.from(tensors, toTensor));
  return folder;
}

/** Windows of ids of the tiny vocabulary. */
export function tinyWindows(count: number, length: number): number[][] {
  const ids = tokenIds(count * length);
  return Array.from({ length: count }, (_, window) => ids.slice(window * length, (window + 1) * length));
}

/** Logits [N V] of a text. */
export async function logitsOf(
  backend: Backend,
  config: Json,
  tensors: TensorSource,
  ids: readonly number[],
): Promise<Float32Array> {
  using decoder = await loadDecoder({ backend, config, tensors });
  using cache = decoder.createCache(ids.length);
  using logits = decoder.forward(ids, cache, { logits: 'all' });
  return (await backend.read(logits)).data as Float32Array;
}

/** The largest |a - b|, in parts of the largest |b| where that is above 1. */
export function difference(a: Float32Array, b: Float32Array): number {
  const size = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i])), 0) / size;
}
