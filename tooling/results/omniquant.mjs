/**
 * Pipelines, steps and saliency metrics: perplexity over three calibration seeds, every layer trained with the published
 * rates. Prints one Markdown table a model; docs/results.md keeps the last run. Each measurement is a file in the folder
 * of measurements, so that an interrupted run goes on where it was.
 *
 *   node tooling/results/omniquant.mjs <shared folder> <folder of measurements> [model] [epochs]
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODELS, openMeasurements, spread } from './measure.mjs';

const [shared, kept, only, epochs = '20'] = process.argv.slice(2);
if (kept === undefined) {
  console.error(
    'usage: node tooling/results/omniquant.mjs <shared folder> <folder of measurements> [model] [epochs]',
  );
  process.exit(1);
}
const SEEDS = [0, 1, 2];

/** Bits and key quantisers, and the smaller of the two shares of salient channels that they are measured with. */
const FORMATS = {
  'W4A4, --kv block': { weightBits: 4, activationBits: 4, key: 'block', salientFraction: 0.1 },
  'W4A4, --kv token': { weightBits: 4, activationBits: 4, key: 'token', salientFraction: 0.1 },
  W6A6: { weightBits: 6, activationBits: 6, key: 'block', salientFraction: 0.1 },
  W3A3: { weightBits: 3, activationBits: 3, key: 'block', salientFraction: 0.1 },
  'W2A8 (5 %)': { weightBits: 2, activationBits: 8, key: 'block', salientFraction: 0.05 },
};
const training = { epochs: Number(epochs) };
const spiking = (settings) => ({ pipeline: 'omniquant', options: training, steps: 2, ...settings });
const METHODS = {
  'round-to-nearest': { pipeline: 'rtn', steps: 1 },
  SmoothQuant: { pipeline: 'smoothquant', steps: 1 },
  'OmniQuant (T = 1)': spiking({ steps: 1 }),
  'SpikeLLM, 10 % at T = 2': spiking({ saliency: 'obs' }),
  'fisher, channels, as many operations': spiking({ saliency: 'fisher', granularity: 'channel' }),
};
const MORE_METHODS = {
  'fisher, linears, as many operations': spiking({ saliency: 'fisher', granularity: 'linear' }),
  'SpikeLLM, 5 % at T = 4': spiking({ steps: 4, salientFraction: 0.05, saliency: 'obs' }),
  'SpikeLLM, 25 % at T = 2': spiking({ salientFraction: 0.25, saliency: 'obs' }),
  'fisher, channels, operations of 25 %': spiking({
    salientFraction: 0.25,
    saliency: 'fisher',
    granularity: 'channel',
  }),
  'fisher, linears, operations of 25 %': spiking({
    salientFraction: 0.25,
    saliency: 'fisher',
    granularity: 'linear',
  }),
};

/** The formats of a model in which all methods are measured, and those in which the first ones are. */
const MEASURED = {
  stories260k: { all: ['W4A4, --kv block', 'W4A4, --kv token'], first: ['W6A6', 'W3A3', 'W2A8 (5 %)'] },
  tales: { all: ['W4A4, --kv block'], first: ['W2A8 (5 %)'] },
};

/** The measurement that was kept, or a new one, which is kept. */
async function keep(what, measure) {
  const name = createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16);
  const path = join(kept, `${name}.json`);
  try {
    return JSON.parse(await readFile(path, 'utf8')).perplexity;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const began = performance.now();
  const perplexity = await measure();
  const seconds = (performance.now() - began) / 1000;
  await writeFile(path, `${JSON.stringify({ ...what, perplexity, seconds }, undefined, 2)}\n`);
  console.error(`${what.model} ${what.label}: ${perplexity.toFixed(3)} in ${seconds.toFixed(0)} s`);
  return perplexity;
}

async function measureModel(model) {
  const measurements = await openMeasurements(shared, model);
  const cells = new Map();
  const { all, first } = MEASURED[model];
  const formats = [...all, ...first];
  for (const format of formats) {
    const methods = { ...METHODS, ...(all.includes(format) && MORE_METHODS) };
    for (const [method, settings] of Object.entries(methods)) {
      const results = [];
      for (const seed of SEEDS) {
        const whole = { ...FORMATS[format], ...settings, seed };
        const label = `${format}, ${method}, seed ${seed}`;
        results.push(
          await keep({ model, label, settings: whole }, () =>
            measurements.spiking(whole, measurements.draw(seed)),
          ),
        );
      }
      cells.set(`${method}|${format}`, spread(results));
    }
  }
  const float = (await measurements.float()).toFixed(2);
  const rows = Object.keys({ ...METHODS, ...MORE_METHODS }).map((method) => {
    const columns = formats.map((format) => cells.get(`${method}|${format}`) ?? '');
    return `| ${method} | ${columns.join(' | ')} |`;
  });
  console.log(
    [
      `\n**${model}**, float ${float}, ${MODELS[model].evaluation.windows} windows, ${epochs} epochs\n`,
      `| | ${formats.join(' | ')} |`,
      `|---|${'---|'.repeat(formats.length)}`,
      ...rows,
    ].join('\n'),
  );
  await measurements.close();
}

await mkdir(kept, { recursive: true });
for (const name of only === undefined ? Object.keys(MODELS) : [only]) await measureModel(name);
