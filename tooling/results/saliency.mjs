/**
 * Saliency metrics at equal extra operations: perplexity of W4A4 with round-to-nearest weights, where the share of
 * salient channels and their steps set the budget of all metrics, over calibration seeds.
 * Prints one Markdown table a model; docs/results.md keeps the last run.
 *
 *   node tooling/results/saliency.mjs <shared folder> [model] [seeds]
 */
import { collectStatistics } from '@spikellm/calibration';
import { parseModel } from '@spikellm/graph';
import { MODELS, openMeasurements, spread } from './measure.mjs';

/** What spikes, and the quota whose extra operations every metric spends. */
const QUOTAS = {
  'linears only, 10 % at T = 2': { key: 'float', salientFraction: 0.1, steps: 2 },
  'linears only, 25 % at T = 2': { key: 'float', salientFraction: 0.25, steps: 2 },
  'linears only, 5 % at T = 4': { key: 'float', salientFraction: 0.05, steps: 4 },
  'and KV, --kv block, 10 % at T = 2': { key: 'block', salientFraction: 0.1, steps: 2 },
  'and KV, --kv block, 25 % at T = 2': { key: 'block', salientFraction: 0.25, steps: 2 },
  'and KV, --kv token, 10 % at T = 2': { key: 'token', salientFraction: 0.1, steps: 2 },
  'and KV, --kv whole, 10 % at T = 2': { key: 'whole', salientFraction: 0.1, steps: 2 },
};
const METRICS = {
  random: { saliency: 'random' },
  published: { saliency: 'obs' },
  'fisher, channels': { saliency: 'fisher', granularity: 'channel' },
  'fisher, linears': { saliency: 'fisher', granularity: 'linear' },
};

const [shared, only, seedCount = '5'] = process.argv.slice(2);
if (shared === undefined) {
  console.error('usage: node tooling/results/saliency.mjs <shared folder> [model] [seeds]');
  process.exit(1);
}

async function measureModel(name) {
  const { backend, model, draw, float, spiking, close } = await openMeasurements(shared, name);
  console.log(
    `\n**${name}**, float ${(await float()).toFixed(2)}, ${MODELS[name].evaluation.windows} windows\n`,
  );
  console.log(`| what spikes | T = 1 | ${Object.keys(METRICS).join(' | ')} |`);
  console.log(`|---|---|${'---|'.repeat(Object.keys(METRICS).length)}`);
  const seeds = Array.from({ length: Number(seedCount) }, (_, seed) => seed);
  const graph = parseModel(model.config);
  const draws = [];
  for (const seed of seeds) {
    const windows = draw(seed);
    draws.push({
      seed,
      windows,
      statistics: await collectStatistics({ graph, tensors: model.tensors, backend, windows }),
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
  await close();
}

for (const name of only === undefined ? Object.keys(MODELS) : [only]) await measureModel(name);
