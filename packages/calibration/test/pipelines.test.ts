/** What all pipelines share: every family, weights in float at 16 bits, and the order of their phases. */
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { loadDecoder, type SpikingConfig } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { PIPELINES, type QuantizeProgress, type QuantizeSettings } from '../src/index.ts';
import { difference, logitsOf, tinyFamilies, tinyWindows, writeTinyModel } from './tiny-model.ts';
import { tinyRuns } from './tiny-runs.ts';

const windows = tinyWindows(3, 40);
const { folder, source, backend, run } = tinyRuns(windows);
const optionsOf = (pipeline: string): NonNullable<QuantizeSettings['options']> =>
  pipeline === 'omniquant' ? { epochs: 2, augmentedLoss: true } : {};

const logits = async (path: string): Promise<Float32Array> => {
  await using model = await openModelFolder(path);
  return await logitsOf(backend, model.config, model.tensors, windows[0]);
};

async function expectFinite(path: string): Promise<void> {
  await using model = await openModelFolder(path);
  using decoder = await loadDecoder({ backend, config: model.config, tensors: model.tensors });
  const { perplexity: value } = await perplexity(decoder, windows.flat(), { window: 40 });
  expect(value).toBeGreaterThan(1);
  expect(Number.isFinite(value)).toBe(true);
}

describe.each(PIPELINES)('weights of 16 bits: $name', ({ name: pipeline }) => {
  const options = optionsOf(pipeline);

  it('stay in float under spikes', async () => {
    const path = await run(`spikes ${pipeline}`, { pipeline, options, weightBits: 16 });
    await using model = await openModelFolder(path);
    const { weights } = model.config.quantization_config as SpikingConfig;
    expect(weights).toEqual({ kind: 'float' });
    const { dtype, shape } = model.tensors.info('model.layers.0.mlp.down_proj.weight')!;
    expect([dtype, shape]).toEqual(['F32', [16, 24]]);
    await expectFinite(path);
  });

  it('leave the float model as it is without spikes', async () => {
    const path = await run(`float ${pipeline}`, { pipeline, options, weightBits: 16, activationBits: 16 });
    const [got, want] = [await logits(path), await logits(source)];
    // Nothing is folded into the weights of the other two.
    const most = pipeline === 'rtn' || pipeline === 'gptq' ? 0 : 1e-4;
    expect(difference(got, want)).toBeLessThanOrEqual(most);
  });
});

describe.each(tinyFamilies)('a tiny %s', (modelType, config) => {
  it.each(PIPELINES)('goes through $name', async ({ name: pipeline }) => {
    const from = await writeTinyModel(join(folder, `${modelType} source`), { config });
    const path = await run(`${modelType} ${pipeline}`, { pipeline, options: optionsOf(pipeline) }, { from });
    await expectFinite(path);
  });
});

/** The progress of a run. */
async function progressOf(out: string, changes: Partial<QuantizeSettings>): Promise<QuantizeProgress[]> {
  const seen: QuantizeProgress[] = [];
  await run(out, changes, { onProgress: (progress) => void seen.push(progress) });
  return seen;
}

describe('progress', () => {
  it.each(['rtn', 'smoothquant'])('of %s counts windows and layers, layer by layer', async (pipeline) => {
    const seen = await progressOf(`progress ${pipeline}`, { pipeline });
    const after = (layer: number): string[] => [
      ...[1, 2, 3].map((window) => `calibrate ${3 * layer + window}/9`),
      `encode ${layer + 1}/3`,
    ];
    expect(seen.map(({ phase, done, total }) => `${phase} ${done}/${total}`)).toEqual([
      ...[0, 1, 2, 3].map((done) => `check ${done}/3`),
      ...[0, 1, 2].flatMap(after),
    ]);
  });

  it('has nothing to calibrate where no pass is needed', async () => {
    const seen = await progressOf('progress alone', { saliency: 'random' });
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(['check', 'encode']));
  });
});
