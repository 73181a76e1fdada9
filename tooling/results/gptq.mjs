/**
 * Weights by GPTQ: ternary spiking weights against PB-LLM and BiLLM, integer weights against round-to-nearest, and W4A4 with
 * rotation; perplexity over three calibration seeds. Prints Markdown tables; docs/results.md keeps the last run. Each
 * measurement is a file in the folder of measurements, so that an interrupted run goes on where it was.
 *
 *   node tooling/results/gptq.mjs <shared folder> <folder of measurements> [model] [seeds]
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mean, MODELS, openMeasurements, spread } from './measure.mjs';

const gptq = (options = {}) => ({ pipeline: 'gptq', options });
const ternary = (changes) => ({ ...gptq({ weights: 'ternary', ...changes }), activationBits: 16 });
const pbLlm = (lowFraction, form) => ({ baseline: { name: 'pb-llm', lowFraction, mean: form } });
const elements = (salientWeights, changes) =>
  ternary({ weightUnit: 'element', salientWeights, salientSteps: 3, ...changes });
const classes = (salientWeights, salientSteps) => ternary({ salientWeights, salientSteps });

/** Weights only: activations in float. */
const WEIGHTS = {
  'PB-LLM, 80 % binary': pbLlm(0.8, 'faithful'),
  'PB-LLM, 80 % binary, masked mean': pbLlm(0.8, 'masked'),
  'ternary, 70 % at T = 3': classes(0.7, 3),
  'ternary, budget 2.4': ternary({ meanSteps: 2.4 }),
  'PB-LLM, 90 % binary': pbLlm(0.9, 'faithful'),
  'PB-LLM, 90 % binary, masked mean': pbLlm(0.9, 'masked'),
  'ternary, 35 % at T = 3': classes(0.35, 3),
  'ternary, budget 1.7': ternary({ meanSteps: 1.7 }),
  'PB-LLM, 95 % binary': pbLlm(0.95, 'faithful'),
  'PB-LLM, 95 % binary, masked mean': pbLlm(0.95, 'masked'),
  'ternary, 17.5 % at T = 3': classes(0.175, 3),
  'ternary, budget 1.35': ternary({ meanSteps: 1.35 }),
  'ternary elements, 17.5 % at T = 3': elements(0.175),
  'ternary, T = 1': ternary({ salientWeights: 0 }),
  'ternary, budget 1.7, groups of 128': ternary({ meanSteps: 1.7, weightGroup: 128 }),
  'ternary elements, 17.5 % at T = 3, groups of 128': elements(0.175, { weightGroup: 128 }),
  'ternary, T = 1, groups of 128': ternary({ salientWeights: 0, weightGroup: 128 }),
  BiLLM: { baseline: { name: 'billm' } },
  'GPTQ, 4 bits, groups of 128': { baseline: { name: 'gptq', bits: 4, group: 128 } },
};
const INTEGERS = [4, 3, 2].map((weightBits) => ({ weightBits, activationBits: 16 }));
/** Weights and activations of 4 bits. */
const W4A4 = {
  'round-to-nearest': { pipeline: 'rtn', steps: 1 },
  SmoothQuant: { pipeline: 'smoothquant', steps: 1 },
  GPTQ: { ...gptq(), steps: 1 },
  'GPTQ, 10 % at T = 2': { ...gptq(), saliency: 'obs' },
  'GPTQ, fisher, operations of 10 %': { ...gptq(), saliency: 'fisher' },
  'GPTQ, fisher, operations of 25 %': { ...gptq(), saliency: 'fisher', salientFraction: 0.25 },
};

const [shared, kept, only, seedCount = '3'] = process.argv.slice(2);
if (kept === undefined) {
  console.error(
    'usage: node tooling/results/gptq.mjs <shared folder> <folder of measurements> [model] [seeds]',
  );
  process.exit(1);
}
const seeds = Array.from({ length: Number(seedCount) }, (_, seed) => seed);

/** The measurement that was kept, or a new one, which is kept. */
async function keep(what, measure) {
  const name = createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 24);
  const path = join(kept, `${name}.json`);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return JSON.parse(known).result;
  const result = await measure();
  await mkdir(kept, { recursive: true });
  await writeFile(path, `${JSON.stringify({ what, result }, undefined, 2)}\n`);
  return result;
}

async function measureModel(name) {
  const opened = await openMeasurements(shared, name);
  const float = await keep({ name, float: true }, () => opened.float());
  /** Perplexity, bits per weight and steps of each seed. */
  const measured = async ({ baseline, ...settings }) => {
    const results = [];
    for (const seed of seeds) {
      const windows = opened.draw(seed);
      results.push(
        await keep({ name, seed, baseline, settings }, () =>
          baseline ? opened.baseline(baseline, windows) : opened.described({ ...settings, seed }, windows),
        ),
      );
    }
    return results;
  };
  const column = (results, of) => mean(results.map(of)).toFixed(2);
  const perplexities = (results) => spread(results.map(({ perplexity }) => perplexity));

  console.log(`\n**${name}**, float ${float.toFixed(2)}, ${MODELS[name].evaluation.windows} windows\n`);
  console.log(
    '| W4A4, --kv block | mean steps | perplexity | mean steps, rotated | rotated |\n|---|---|---|---|---|',
  );
  for (const [label, settings] of Object.entries(W4A4)) {
    const plain = await measured(settings);
    const rotated = await measured({ ...settings, rotate: 'hadamard' });
    const cells = [plain, rotated].flatMap((results) => [
      column(results, ({ activationSteps }) => activationSteps),
      perplexities(results),
    ]);
    console.log(`| ${label} | ${cells.join(' | ')} |`);
  }
  console.log('\n| weights only | steps | bits per weight | perplexity |\n|---|---|---|---|');
  for (const [label, settings] of Object.entries(WEIGHTS)) {
    const results = await measured(settings);
    const weightSteps = column(results, ({ weightSteps: steps }) => steps);
    const bits = column(results, ({ bitsPerWeight }) => bitsPerWeight);
    console.log(`| ${label} | ${weightSteps} | ${bits} | ${perplexities(results)} |`);
  }
  console.log(
    '\n| bits, activations in float | round-to-nearest | AWQ | GPTQ | GPTQ, rotated |\n|---|---|---|---|---|',
  );
  for (const settings of INTEGERS) {
    const cells = [];
    const methods = [
      { ...settings, pipeline: 'rtn' },
      { baseline: { name: 'awq', bits: settings.weightBits } },
      { ...settings, ...gptq() },
      { ...settings, ...gptq(), rotate: 'hadamard' },
    ];
    for (const method of methods) cells.push(perplexities(await measured(method)));
    console.log(`| ${settings.weightBits} | ${cells.join(' | ')} |`);
  }
  await opened.close();
}

for (const name of only === undefined ? Object.keys(MODELS) : [only]) await measureModel(name);
