/**
 * spikellm beside llama.cpp and ONNX Runtime on this machine: random weights of one shape, the same threads and tokens,
 * alternating rounds. Writes one JSON document; docs/performance.md says what is in it.
 *
 *   npm run bench:peers -- --json <file> [--rounds 5] [--only kernels,q4,ternary,avx2] [--shape 1.1b] [--threads 2] [--keep]
 */
import { rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { SHAPES } from '@spikellm/benchmark';
import { compareKernels, compareModels, MODELS, sharesOf } from './lib/compare.mjs';

const PARTS = ['kernels', ...Object.keys(MODELS)];
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: PARTS.join() },
    shape: { type: 'string', default: '1.1b' },
    threads: { type: 'string', default: '2' },
    keep: { type: 'boolean', default: false },
  },
});
const settings = {
  shape: values.shape,
  threads: Number(values.threads),
  rounds: Number(values.rounds),
  promptTokens: 512,
  decodeTokens: 64,
};
const parts = values.only.split(',');
check(values.json !== undefined, '--json <file> is needed');
check(settings.shape in SHAPES, `--shape is one of ${Object.keys(SHAPES).join(', ')}`);
check(settings.rounds >= 1 && settings.threads >= 1, '--rounds and --threads are 1 or more');
check(
  parts.every((part) => PARTS.includes(part)),
  `--only takes ${PARTS.join(', ')}`,
);

const report = {
  machine: { cpu: cpus()[0].model, threads: settings.threads, node: process.version },
  settings,
  limits: null,
  spikellm: {},
  llamacpp: {},
  onnxruntime: {},
  ratios: {},
  shares: {},
  momentShares: {},
  spreads: {},
  reasons: {},
};
/** Synthetic models that this run has written. */
const files = [];
process.on('exit', () => {
  if (!values.keep) for (const file of files) rmSync(file, { force: true });
});
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
if (parts.includes('kernels')) await compareKernels(report);
for (const part of Object.keys(MODELS).filter((name) => parts.includes(name)))
  await compareModels(report, part, files);
for (const peer of ['llamacpp', 'onnxruntime']) {
  if (Object.values(report[peer]).every((measured) => measured === null)) report[peer] = null;
}
report.shares = sharesOf(report);
writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);

function check(holds, sentence) {
  if (holds) return;
  console.error(`bench:peers: ${sentence}`);
  process.exit(1);
}
