/**
 * Saliency metrics at equal extra operations: perplexity of W4A4 with round-to-nearest weights, where the share of
 * salient channels and their steps set the budget of all metrics, over calibration seeds.
 * Prints one Markdown table a model; docs/results.md keeps the last run.
 *
 *   node tooling/results/saliency.mjs <shared folder> [model] [seeds]
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { collectStatistics, DEFAULT_SETTINGS, quantize, sampleWindows } from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { loadDecoder, parseDecoderConfig } from '@spikellm/graph';

const WINDOW = 256;
const SAMPLES = 16;

/** What is calibrated on and what is evaluated, in tokens of windows that do not overlap. */
const MODELS = {
  stories260k: {
    calibration: { text: 'tinystories-excerpt.txt', from: 0, windows: 17 },
    evaluation: { text: 'tinystories-excerpt.txt', from: 17, windows: 34 },
  },
  tales: {
    calibration: { text: 'tales-calibration.txt', from: 0, windows: 300 },
    evaluation: { text: 'tales-heldout.txt', from: 0, windows: 40 },
  },
};
/** What spikes, and the quota whose extra operations every metric spends. */
const QUOTAS = {
  'linears only, 10 % at T = 2': { key: 'float', salient: 0.1, steps: 2 },
  'linears only, 25 % at T = 2': { key: 'float', salient: 0.25, steps: 2 },
  'linears only, 5 % at T = 4': { key: 'float', salient: 0.05, steps: 4 },
  'and KV, --kv block, 10 % at T = 2': { key: 'block', salient: 0.1, steps: 2 },
  'and KV, --kv block, 25 % at T = 2': { key: 'block', salient: 0.25, steps: 2 },
  'and KV, --kv token, 10 % at T = 2': { key: 'token', salient: 0.1, steps: 2 },
  'and KV, --kv published, 10 % at T = 2': { key: 'published', salient: 0.1, steps: 2 },
};
const METRICS = {
  random: { saliency: 'random' },
  published: { saliency: 'published' },
  'fisher, channels': { saliency: 'fisher', granularity: 'channel' },
  'fisher, linears': { saliency: 'fisher', granularity: 'linear' },
};

const [shared, only, seedCount = '5'] = process.argv.slice(2);
if (shared === undefined) {
  console.error('usage: node tooling/results/saliency.mjs <shared folder> [model] [seeds]');
  process.exit(1);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
const spread = (values) => `${mean(values).toFixed(2)} ± ${deviation(values).toFixed(2)}`;

async function measureModel(name) {
  const backend = createCpuBackend();
  const folder = await mkdtemp(join(tmpdir(), 'spikellm-results-'));
  const model = await openModelFolder(join(shared, 'models', name));
  const tokenizer = await model.tokenizer();
  const idsOf = async ({ text, from, windows }) => {
    const content = await readFile(join(shared, 'text', text), 'utf8');
    return tokenizer
      .encode(content.replaceAll(/\r\n?/g, '\n'))
      .slice(from * WINDOW, (from + windows) * WINDOW);
  };
  const calibrationIds = await idsOf(MODELS[name].calibration);
  const evaluationIds = await idsOf(MODELS[name].evaluation);

  const evaluate = async (path) => {
    const opened = await openModelFolder(path);
    const decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
    const measured = await perplexity(decoder, evaluationIds, { window: WINDOW });
    decoder.dispose();
    await opened.close();
    return measured.perplexity;
  };
  const spiking = async (settings, windows, statistics) => {
    const out = join(folder, 'model');
    await quantize({
      model,
      out,
      backend,
      settings: { ...DEFAULT_SETTINGS, ...settings },
      windows,
      statistics,
    });
    const result = await evaluate(out);
    await rm(out, { recursive: true });
    return result;
  };

  console.log(
    `\n**${name}**, float ${(await evaluate(model.path)).toFixed(2)}, ${MODELS[name].evaluation.windows} windows\n`,
  );
  console.log(`| what spikes | T = 1 | ${Object.keys(METRICS).join(' | ')} |`);
  console.log(`|---|---|${'---|'.repeat(Object.keys(METRICS).length)}`);
  const seeds = Array.from({ length: Number(seedCount) }, (_, seed) => seed);
  const config = parseDecoderConfig(model.config);
  const draws = [];
  for (const seed of seeds) {
    const windows = sampleWindows(calibrationIds, { samples: SAMPLES, length: WINDOW, seed });
    draws.push({
      seed,
      windows,
      statistics: await collectStatistics({ config, tensors: model.tensors, backend, windows }),
    });
  }
  for (const [label, quota] of Object.entries(QUOTAS)) {
    const plain = await spiking({ ...quota, steps: 1 }, draws[0].windows);
    const columns = [];
    for (const metric of Object.values(METRICS)) {
      const results = [];
      for (const { seed, windows, statistics } of draws) {
        results.push(await spiking({ ...quota, ...metric, seed }, windows, statistics));
      }
      columns.push(spread(results));
    }
    console.log(`| ${label} | ${plain.toFixed(2)} | ${columns.join(' | ')} |`);
  }
  await model.close();
  await rm(folder, { recursive: true });
}

for (const name of only === undefined ? Object.keys(MODELS) : [only]) await measureModel(name);
