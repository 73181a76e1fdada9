/** Bad input stops here, before anything is written. */
import { SpikeError } from '@spikellm/backend';
import { createDigest, type Fingerprint, type ModelFolder } from '@spikellm/checkpoint';
import {
  checkFloat,
  checkIds,
  globalWeights,
  inArena,
  layerWeights,
  parseModel,
  printGraph,
  type ModelGraph,
  type TensorSource,
} from '@spikellm/graph';
import { ownSettings } from './pipelines/index.ts';
import { metricOfSettings, type QuantizeSettings } from './settings/settings.ts';

/** Errors: UNSUPPORTED for a model that spikes already. */
export function floatModel({ path, config }: Pick<ModelFolder, 'path' | 'config'>): ModelGraph {
  if (config.quantization_config != null) {
    throw new SpikeError('UNSUPPORTED', {
      where: path,
      expected: 'a float model',
      received: 'one with a quantization_config',
      remedy: 'quantize the model that it was made from',
    });
  }
  return parseModel(config);
}

/** Errors: INVALID_ARGUMENT for windows that the model cannot take. */
export function checkWindows(
  windows: readonly (readonly number[])[],
  { config }: ModelGraph,
  least: number,
): void {
  const length = windows[0]?.length ?? 0;
  const equal = windows.every((window) => window.length === length);
  if (length < least || !equal || length > config.contextLength) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'calibration windows',
      expected: `windows of one length from ${least} to ${config.contextLength} tokens, the context of the model`,
      received: equal ? `${windows.length} windows of ${length}` : 'windows of several lengths',
    });
  }
  for (const window of windows) checkIds(window, config.vocabularySize);
}

/** What is read, and how one is told of it. */
interface Reading {
  readonly settings: QuantizeSettings;
  readonly windows: readonly (readonly number[])[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { phase: 'check'; done: number; total: number }) => void;
}

/**
 * Reads every weight once: a missing, misshapen, truncated or non-finite one is an error.
 *
 * @returns what decides the bytes that the run writes: settings by name, and hashes of model and windows
 */
export async function fingerprintOf(
  options: Reading,
  graph: ModelGraph,
  tensors: TensorSource,
): Promise<Fingerprint> {
  const { settings, windows } = options;
  return {
    model: await hashModel(options, graph, tensors),
    'calibration tokens': hashText(JSON.stringify(windows)),
    ...namedSettings(settings),
  };
}

const shortened = (hash: string): string => hash.slice(0, 16);

function hashText(text: string): string {
  const hash = createDigest('sha256');
  hash.update(text);
  return shortened(hash.hex());
}

/** Settings by name; those of the pipeline after its own. */
function namedSettings(settings: QuantizeSettings): Fingerprint {
  const { options: _, ...common } = settings;
  const own = Object.entries(ownSettings(settings) as Readonly<Record<string, number | string | boolean>>);
  return {
    ...common,
    saliency: metricOfSettings(settings).name,
    ...Object.fromEntries(own.map(([name, value]) => [`${settings.pipeline}.${name}`, value])),
  };
}

async function hashModel(
  { signal, onProgress }: Reading,
  graph: ModelGraph,
  tensors: TensorSource,
): Promise<string> {
  const { config, embed, layers, head, rotary } = graph;
  const arena = inArena(tensors);
  const hash = createDigest('sha256');
  hash.update(JSON.stringify({ config, rotary }));
  for (const each of [embed, ...layers, head]) hash.update(printGraph(each));
  const entries = [globalWeights(graph), ...layers.map(layerWeights)];
  for (const { name, shape } of entries.flat()) checkFloat(tensors, name, shape);
  for (const [done, each] of entries.entries()) {
    for (const { name } of each) {
      signal?.throwIfAborted();
      const { data } = await arena.tensors.read(name, { as: 'stored' });
      hash.update(data as ArrayBufferView);
      arena.free();
    }
    onProgress?.({ phase: 'check', done, total: layers.length });
  }
  return shortened(hash.hex());
}
