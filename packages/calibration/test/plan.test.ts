/** Steps under one budget for the model, through the pipelines. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { cachePrefixes, loadDecoder, parseModel, readSteps, type SpikingConfig } from '@spikellm/graph';
import { perplexity } from '@spikellm/evaluation';
import { fisher as metric } from '@spikellm/saliency';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_SETTINGS,
  planSteps,
  STEP_CHOICES,
  type LayerMoments,
  type QuantizeSettings,
} from '../src/index.ts';
import { quotaOperations, stepSites } from '../src/gradients/step-sites.ts';
import { linearsOf } from '../src/sizing/pipeline-size.ts';
import { TINY_CONFIG, tinyWindows } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const graph = parseModel(TINY_CONFIG);
const windows = tinyWindows(3, 40);
const FISHER: QuantizeSettings = { ...DEFAULT_SETTINGS, saliency: 'fisher', salientFraction: 0.25 };

const { folder, backend, run } = tinyRuns(windows, FISHER);

/** Extra multiply-adds per token of a checkpoint, counted from its own lists of steps. */
async function operationsOf(path: string, { key }: QuantizeSettings): Promise<number> {
  await using model = await openModelFolder(path);
  const { heads, kvHeads, headSize } = graph.config;
  const extra = async (prefix: string, channels: number): Promise<number> =>
    (await readSteps(model.tensors, prefix, channels)).reduce((sum, T) => sum + T - 1, 0);
  let operations = 0;
  for (const layer of graph.layers) {
    for (const { prefix, inputs, outputs } of linearsOf(layer)) {
      operations += outputs * (await extra(prefix, inputs));
    }
    if (key === 'float') continue;
    const readers = key === 'whole' ? 1 : heads / kvHeads;
    const channels = (key === 'whole' ? heads : kvHeads) * headSize;
    for (const prefix of Object.values(cachePrefixes(layer, 'self_attn'))) {
      operations += readers * ((windows[0].length + 1) / 2) * (await extra(prefix, channels));
    }
  }
  return operations;
}

const readLog = async (path: string): Promise<{ budget: number; spent: number }> =>
  JSON.parse(await readFile(join(path, 'steps_log.json'), 'utf8'));

describe('the budget', () => {
  it.each([
    { key: 'block', steps: 2, salientFraction: 0.1 },
    { key: 'float', steps: 4, salientFraction: 0.05 },
    { key: 'whole', range: 'saturating', steps: 4, salientFraction: 0.25 },
    { key: 'token', steps: 2, mask: 'own', salientFraction: 0.3 },
  ] as const)('is what published saliency spends with %o', async (changes) => {
    const name = `budget ${Object.values(changes).join(' ')}`;
    const settings = { ...FISHER, ...changes };
    const published = await run(`${name} published`, { ...changes, saliency: 'obs' });
    const fisher = await run(`${name} fisher`, changes);
    const { budget, spent } = await readLog(fisher);
    expect(budget).toBe(await operationsOf(published, settings));
    expect(spent).toBe(await operationsOf(fisher, settings));
    const dearest = Math.max(...stepSites(graph.layers[0], settings, 40).map(({ cost }) => cost));
    expect(spent).toBeLessThanOrEqual(budget);
    expect(spent).toBeGreaterThan(budget - 3 * dearest);
  });

  const moments = (gain: (layer: number, channel: number) => number): LayerMoments[] =>
    [0, 1, 2].map(
      (layer) =>
        new Map(
          stepSites(graph.layers[layer], { ...FISHER, key: 'float' }, 40).map(({ name, channels }) => {
            const gradients = Float64Array.from({ length: channels }, (_, j) => gain(layer, j));
            const errors = new Map(STEP_CHOICES.map((T) => [T, new Float64Array(channels).fill(1 / T ** 2)]));
            return [name, { gradients, errors }];
          }),
        ),
    );

  it('goes to whole inputs with granularity linear, as far as it reaches', () => {
    const settings: QuantizeSettings = { ...FISHER, key: 'float', granularity: 'linear' };
    const { layers, operations } = planSteps(
      graph,
      settings,
      40,
      metric,
      moments((layer) => (layer === 1 ? 2 : 1)),
    );
    for (const { linears } of layers)
      for (const steps of linears.values()) expect(new Set(steps).size).toBe(1);
    expect(operations.budget).toBe(quotaOperations(graph, settings, 40));
    expect(operations.spent).toBeLessThanOrEqual(operations.budget);
    // Gains per operation are highest where outputs are fewest, in the layer with the larger gradients.
    expect(layers[1].linears.get('mlp.down_proj')![0]).toBeGreaterThan(1);
    expect(layers[1].linears.get('self_attn.o_proj')![0]).toBeGreaterThan(1);
    expect(layers[0].linears.get('mlp.up_proj')![0]).toBe(1);
  });

  it('is not spent on channels that gain nothing', () => {
    const settings: QuantizeSettings = { ...FISHER, key: 'float', salientFraction: 1 };
    const { layers, operations } = planSteps(
      graph,
      settings,
      40,
      metric,
      moments((_, j) => (j === 5 ? 1 : 0)),
    );
    expect(operations.spent).toBeLessThan(operations.budget);
    for (const { linears } of layers) {
      for (const steps of linears.values()) {
        expect([...steps.entries()].filter(([, T]) => T > 1).map(([j]) => j)).toEqual([5]);
      }
    }
  });
});

describe('a stopped run', () => {
  it.each([
    ['gradients', 4, true],
    ['gradients', 17, true],
    ['encode', 1, false],
  ] as const)('in phase %s at %i resumes to the same bytes', async (phase, done, again) => {
    const whole = await contents(await run(`whole ${phase} ${done}`));
    const stop = new AbortController();
    const out = `stopped ${phase} ${done}`;
    const stopping = run(
      out,
      {},
      {
        memory: 0,
        signal: stop.signal,
        onProgress: (p) => p.phase === phase && p.done === done && stop.abort(),
      },
    );
    await expect(stopping).rejects.toThrow('aborted');
    expect(await readdir(join(folder, `${out}.partial`, '.resume'))).not.toContain('layer-0.stream');
    const phases = new Set<string>();
    await run(out, {}, { resume: true, onProgress: ({ phase: at }) => phases.add(at) });
    expect(await contents(join(folder, out))).toEqual(whole);
    expect(phases.has('gradients')).toBe(again);
  });
});

describe('with every pipeline', () => {
  it.each([
    { pipeline: 'smoothquant' },
    { pipeline: 'smoothquant', key: 'token', granularity: 'linear' },
    { pipeline: 'omniquant', options: { epochs: 1 } },
    { pipeline: 'gptq' },
    { salientFraction: 0 },
  ] as const)('makes a model that can be evaluated with %o', async (changes) => {
    const path = await run(`case ${JSON.stringify(changes).replaceAll(/\W+/g, ' ')}`, changes);
    await using opened = await openModelFolder(path);
    using decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
    const { perplexity: value } = await perplexity(decoder, windows.flat(), { window: 40 });
    expect(Number.isFinite(value)).toBe(true);
    const salient = !('salient' in changes);
    expect((opened.config.quantization_config as SpikingConfig).activations).toMatchObject(
      salient
        ? { saliency: 'fisher', granularity: 'granularity' in changes ? 'linear' : 'channel' }
        : { saliency: 'none', salient_fraction: 0 },
    );
  });
});

it('refuses windows without a next token', async () => {
  await expect(run('short', {}, { windows: [[1], [2]] })).rejects.toThrow(
    'calibration windows: expected windows of one length from 2 to 64 tokens, the context of the model, received 2 windows of 1.',
  );
});

it('refuses linears as the unit of another metric', async () => {
  await expect(run('unit', { saliency: 'random', granularity: 'linear' })).rejects.toThrow(
    'granularity: expected channel, which random saliency ranks, received linear; take fisher saliency for whole linears.',
  );
});
