/** All pipelines. To add one is to add its file and its line. */
import { SpikeError } from '@spikellm/backend';
import { FLOAT_BITS, type SpikingConfig, type WeightSettings } from '@spikellm/graph';
import { checkFields, defaultsOf } from '../settings/fields.ts';
import {
  cacheSpikes,
  cacheSteps,
  COMMON_FIELDS,
  hasSalience,
  KEY_BLOCK,
  metricOfSettings,
  needsGradients,
  type QuantizeSettings,
} from '../settings/settings.ts';
import { gptq } from './gptq.ts';
import { omniquant } from './omniquant.ts';
import type { Pipeline } from './pipeline.ts';
import { rtn } from './rtn.ts';
import { smoothquant } from './smoothquant.ts';

/** The first is the default. */
export const PIPELINES: readonly Pipeline[] = [rtn, smoothquant, omniquant, gptq];

/** W4A4 with two steps for one channel in ten, rounded to nearest. */
export const DEFAULT_SETTINGS: QuantizeSettings = {
  ...defaultsOf(COMMON_FIELDS),
  pipeline: PIPELINES[0].name,
};

/** The pipeline of a name. Errors: INVALID_ARGUMENT. */
export function pipelineOf({ pipeline }: Pick<QuantizeSettings, 'pipeline'>): Pipeline {
  const found = PIPELINES.find(({ name }) => name === pipeline);
  if (found !== undefined) return found;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'pipeline',
    expected: PIPELINES.map(({ name }) => name).join(' or '),
    received: pipeline,
  });
}

/** The pipeline's own settings, with its defaults where nothing is said. */
export const ownSettings = (settings: Pick<QuantizeSettings, 'pipeline' | 'options'>): unknown => ({
  ...(defaultsOf(pipelineOf(settings).fields) as object),
  ...settings.options,
});

/** Errors: INVALID_ARGUMENT for the first setting outside its domain, and for one that belongs to another pipeline. */
export function checkSettings(settings: QuantizeSettings): void {
  const pipeline = pipelineOf(settings);
  checkFields(COMMON_FIELDS, settings);
  for (const name of Object.keys(settings.options ?? {})) {
    if (name in (pipeline.fields as object)) continue;
    const owner = PIPELINES.find(({ fields }) => name in (fields as object));
    throw new SpikeError('INVALID_ARGUMENT', {
      where: name,
      expected: owner ? `the ${owner.name} pipeline, whose setting it is` : 'a setting of the pipeline',
      received: `the ${pipeline.name} pipeline`,
      remedy: owner ? `leave it out, or take the ${owner.name} pipeline` : 'leave it out',
    });
  }
  const own = ownSettings(settings);
  checkFields(pipeline.fields, own);
  pipeline.check?.(settings, own);
  if (settings.granularity === 'channel' || 'gains' in metricOfSettings(settings)) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'granularity',
    expected: `channel, which ${metricOfSettings(settings).name} saliency ranks`,
    received: settings.granularity,
    remedy: 'take fisher saliency for whole linears',
  });
}

function weightSettings(settings: QuantizeSettings): WeightSettings {
  const own = pipelineOf(settings).weights?.(settings, ownSettings(settings));
  if (own !== undefined) return own;
  const { weightBits: bits } = settings;
  return bits >= FLOAT_BITS ? { kind: 'float' } : { bits, symmetric: false };
}

/** The `quantization_config` of a model with these settings. */
export function spikingConfig(settings: QuantizeSettings): SpikingConfig {
  const salience = hasSalience(settings);
  const { activationBits } = settings;
  return {
    quant_method: 'spikellm',
    format_version: settings.rotate === 'none' ? 1 : 2,
    pipeline: settings.pipeline,
    weights: weightSettings(settings),
    ...(settings.embeddingBits < FLOAT_BITS && { embeddings: { bits: settings.embeddingBits } }),
    activations: {
      bits: activationBits,
      steps: salience ? settings.steps : 1,
      range: settings.range,
      saliency: salience ? metricOfSettings(settings).name : 'none',
      salient_fraction: salience ? settings.salientFraction : 0,
      mask: settings.mask,
      ...(needsGradients(settings) ? { granularity: settings.granularity } : {}),
    },
    kv: {
      key: cacheSpikes(settings) ? settings.key : 'float',
      bits: activationBits,
      steps: salience ? cacheSteps(settings) : 1,
      block: KEY_BLOCK,
    },
  };
}
