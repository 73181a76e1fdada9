/** What ranks channels: a metric of a user's own, and the random one. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { cachePrefixes, inputSites, parseModel, readSteps, type SpikingConfig } from '@spikellm/graph';
import { allocateQuota, type GainMetric, type ScoreMetric, type SiteChannels } from '@spikellm/saliency';
import { describe, expect, it } from 'vitest';
import { createStepChooser, DEFAULT_SETTINGS, PIPELINES, type CommonSettings } from '../src/index.ts';
import { TINY_CONFIG, tinyWindows } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const { layers } = parseModel(TINY_CONFIG);
const windows = tinyWindows(3, 40);
const { folder, backend, run } = tinyRuns(windows);

/** Steps of a finished folder by the place where they are, such as `2 mlp.down_proj` or `0 key`. */
async function stepsIn(path: string): Promise<Map<string, Uint8Array>> {
  await using model = await openModelFolder(path);
  const found = new Map<string, Uint8Array>();
  for (const layer of layers) {
    for (const { readers, channels } of inputSites(layer)) {
      for (const { name } of readers)
        found.set(`${layer.index} ${name}`, await readSteps(model.tensors, layer.prefix + name, channels));
    }
    const { keys, values } = cachePrefixes(layer, 'self_attn');
    found.set(`${layer.index} key`, await readSteps(model.tensors, keys, 8));
    found.set(`${layer.index} value`, await readSteps(model.tensors, values, 8));
  }
  return found;
}

async function activationsOf(path: string): Promise<SpikingConfig['activations']> {
  await using model = await openModelFolder(path);
  return (model.config.quantization_config as SpikingConfig).activations;
}

describe('a metric of a user', () => {
  /** Other channels for every layer and site. */
  const scoresOf = ({ layer, site, channels }: Pick<SiteChannels, 'layer' | 'site' | 'channels'>) =>
    Float64Array.from({ length: channels }, (_, j) => (5 * j + 3 * layer + site.length) % channels);

  it.each(['rtn', 'gptq'])('chooses the steps and stands in config.json: %s', async (pipeline) => {
    const seen: SiteChannels[] = [];
    const mine: ScoreMetric = {
      name: 'mine',
      needs: 'nothing',
      score(site) {
        seen.push(site);
        return scoresOf(site);
      },
    };
    const path = await run(`mine ${pipeline}`, { pipeline, saliency: mine, steps: 4, salientFraction: 0.25 });
    expect(await activationsOf(path)).toMatchObject({ saliency: 'mine', steps: 4, salient_fraction: 0.25 });
    expect(seen.filter(({ layer }) => layer === 1).map(({ site }) => site)).toEqual([
      'qkv',
      'qkv',
      'qkv',
      'o',
      'gate_up',
      'gate_up',
      'down',
      'key',
      'value',
    ]);
    expect(seen.every(({ saliency, absmax }) => saliency === undefined && absmax === undefined)).toBe(true);
    const steps = await stepsIn(path);
    for (const layer of layers) {
      for (const { name: site, readers, channels } of inputSites(layer)) {
        const want = allocateQuota(scoresOf({ layer: layer.index, site, channels }), 0.25, 4);
        for (const { name } of readers) expect(steps.get(`${layer.index} ${name}`)).toEqual(want);
      }
      for (const site of ['key', 'value']) {
        const want = allocateQuota(scoresOf({ layer: layer.index, site, channels: 8 }), 0.25, 4);
        expect(steps.get(`${layer.index} ${site}`)).toEqual(want);
      }
    }
  });

  it('may look at activations, which is what it does where it does not say', async () => {
    const mine: ScoreMetric = {
      name: 'mine',
      score({ site, channels, saliency, absmax }) {
        expect(saliency).toHaveLength(channels);
        if (site === 'key' || site === 'value') return saliency!;
        expect(absmax).toHaveLength(channels);
        return absmax!;
      },
    };
    const sizes = await run('sizes', { saliency: mine, mask: 'own' });
    const published: ScoreMetric = { name: 'obs', score: ({ saliency }) => saliency! };
    expect(await contents(await run('named', { saliency: published }))).toEqual(
      await contents(await run('by name', { saliency: 'obs' })),
    );
    expect(await stepsIn(sizes)).not.toEqual(await stepsIn(join(folder, 'named')));
  });

  it('may weigh gains over the whole model', async () => {
    const mine: GainMetric = {
      name: 'gradients alone',
      needs: 'gradients',
      gains: ({ gradients, errors }) =>
        new Map([...errors.keys()].filter((T) => T > 1).map((T) => [T, gradients.map((g) => g * T)])),
    };
    const path = await run('gains', { saliency: mine });
    expect(await activationsOf(path)).toMatchObject({ saliency: 'gradients alone', granularity: 'channel' });
    expect(await stepsIn(path)).not.toEqual(await stepsIn(await run('fisher', { saliency: 'fisher' })));
  });

  it.each<[number[], string]>([
    [[1, 2], 'mine saliency of qkv: expected 16 scores, one of each channel, received 2'],
    [Array<number>(16).fill(Number.NaN), 'saliency: expected finite scores, received NaN at channel 0'],
  ])('is refused with scores that are none', async (scores, message) => {
    const saliency: ScoreMetric = { name: 'mine', needs: 'nothing', score: () => scores };
    await expect(run(`none ${scores.length}`, { saliency })).rejects.toThrow(message);
  });

  it('is part of what a run is resumed as', async () => {
    const saliency: ScoreMetric = { name: 'mine', needs: 'nothing', score: scoresOf };
    const stop = new AbortController();
    const options = { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) };
    // The first event is that of the check, which leaves nothing behind.
    await expect(run('begun', { saliency }, options)).rejects.toThrow('enough');
    const later = new AbortController();
    const onProgress = ({ phase }: { phase: string }): void =>
      void (phase === 'encode' && later.abort(new Error('enough')));
    await expect(run('begun', { saliency }, { signal: later.signal, onProgress })).rejects.toThrow('enough');
    await expect(run('begun', {}, { resume: true })).rejects.toThrow('saliency published instead of mine');
    await run('begun', { saliency }, { resume: true });
    expect(await contents(join(folder, 'begun'))).toEqual(await contents(await run('whole', { saliency })));
  });
});

describe('random saliency', () => {
  const settings: CommonSettings = {
    ...DEFAULT_SETTINGS,
    saliency: 'random',
    salientFraction: 0.5,
    mask: 'own',
  };

  it('is the same for a layer whatever came before', () => {
    const inOrder = createStepChooser(settings);
    const all = layers.map((layer) => inOrder(layer, undefined));
    for (const [i, layer] of [...layers.entries()].toReversed())
      expect(createStepChooser(settings)(layer, undefined)).toEqual(all[i]);
  });

  it('is another one for each layer, linear and seed', () => {
    const listed = (seed: number, index: number): string[] => {
      const { linears } = createStepChooser({ ...settings, seed })(layers[index], undefined);
      return Array.from(linears.values(), (steps) => steps.join(''));
    };
    const lists = [listed(0, 0), listed(0, 1), listed(0, 2), listed(1, 0)].flat();
    expect(new Set(lists).size).toBe(lists.length);
  });

  it.each(PIPELINES)('of a stopped $name run goes on as it began', async ({ name: pipeline }) => {
    const options = pipeline === 'omniquant' ? { epochs: 1 } : {};
    const changes = { pipeline, options, saliency: 'random' };
    const whole = await contents(await run(`whole ${pipeline}`, changes));
    const stop = new AbortController();
    const stopped = run(`parts ${pipeline}`, changes, {
      signal: stop.signal,
      // Past the first third, the first layer of three is written.
      onProgress: ({ phase, done, total }) =>
        void (phase !== 'check' && done > total / 3 && stop.abort(new Error('enough'))),
    });
    await expect(stopped).rejects.toThrow('enough');
    const partial = await readdir(join(folder, `parts ${pipeline}.partial`));
    expect(partial.filter((name) => name.startsWith('model-'))).not.toEqual([]);
    expect(await contents(await run(`parts ${pipeline}`, changes, { resume: true }))).toEqual(whole);
  });
});

it('leaves nothing on the backend', () => {
  expect(backend.liveBytes).toBe(0);
});
