/** Bad input stops here, before anything is written. */
import { SpikeError } from '@spikellm/backend';
import { createDigest, type Fingerprint, type ModelFolder } from '@spikellm/checkpoint';
import {
  checkIds,
  checkLayerCount,
  checkWeight,
  globalWeights,
  layerWeights,
  lend,
  parseDecoderConfig,
  type DecoderConfig,
} from '@spikellm/graph';
import type { QuantizeOptions } from './quantize.ts';
import type { QuantizeSettings } from './settings.ts';

/** Errors: UNSUPPORTED for a model that spikes already. */
export function floatConfig({ path, config }: ModelFolder): DecoderConfig {
  if (config.quantization_config != null) {
    throw new SpikeError('UNSUPPORTED', {
      where: path,
      expected: 'a float model',
      received: 'one with a quantization_config',
      remedy: 'quantize the model that it was made from',
    });
  }
  return parseDecoderConfig(config);
}

/** Errors: INVALID_ARGUMENT for windows that the model cannot take. */
export function checkWindows(
  windows: readonly (readonly number[])[],
  config: DecoderConfig,
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

/**
 * Reads every weight once: a missing, misshapen, truncated or non-finite one is an error.
 *
 * @returns what decides the bytes that the run writes: settings by name, and hashes of model and windows
 */
export async function fingerprintOf(options: QuantizeOptions, config: DecoderConfig): Promise<Fingerprint> {
  const { settings, windows } = options;
  return {
    model: await hashModel(options, config),
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

/** Those that the pipeline looks at. */
function namedSettings({ training, gptq, ...settings }: QuantizeSettings): Fingerprint {
  const named = (prefix: string, own: object): Fingerprint =>
    Object.fromEntries(Object.entries(own).map(([name, value]) => [`${prefix}.${name}`, value]));
  const { pipeline } = settings;
  return {
    ...settings,
    ...(pipeline === 'omniquant' && named('training', training)),
    ...(pipeline === 'gptq' && named('gptq', gptq)),
  };
}

async function hashModel(
  { model, signal, onProgress }: QuantizeOptions,
  config: DecoderConfig,
): Promise<string> {
  const { tensors } = model;
  checkLayerCount(tensors, config);
  const lent = lend(tensors);
  const hash = createDigest('sha256');
  hash.update(JSON.stringify(config));
  const layers = Array.from({ length: config.layers }, (_, index) => layerWeights(config, index));
  for (const { name, shape } of [globalWeights(config), ...layers].flat()) checkWeight(tensors, name, shape);
  for (const [done, entries] of [globalWeights(config), ...layers].entries()) {
    for (const { name } of entries) {
      signal?.throwIfAborted();
      const { data } = await lent.tensors.read(name, { as: 'stored' });
      hash.update(data as ArrayBufferView);
      lent.free();
    }
    onProgress?.({ phase: 'check', done, total: config.layers });
  }
  return shortened(hash.hex());
}
