/**
 * The WebAssembly backend beside onnxruntime-web and llama.cpp in WebAssembly (wllama), all in one Chromium, in
 * alternating rounds. Writes one JSON document; docs/performance.md says what is in it.
 *
 *   npm run bench:browser -- --json <file> [--rounds 5] [--only linear,model,demo] [--shape 1.1b]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SHAPES } from '@spikellm/benchmark';
import { writeLlama } from '../bench/lib/gguf.mjs';
import { matMulModel } from '../bench/lib/onnx.mjs';
import { installPeer } from '../bench/lib/peers.mjs';
import { alternate, ratioOf, spreadOrNull } from '../bench/lib/rounds.mjs';
import { openPage } from './lib/page.mjs';

const PARTS = ['linear', 'model', 'demo'];
const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: PARTS.join() },
    shape: { type: 'string', default: '1.1b' },
  },
});
const parts = values.only.split(',');
const rounds = Number(values.rounds);
if (values.json === undefined || !(values.shape in SHAPES) || !parts.every((part) => PARTS.includes(part))) {
  console.error(
    `bench:browser: expected --json <file>, --only of ${PARTS.join()}, --shape of ${Object.keys(SHAPES).join()}`,
  );
  process.exit(1);
}

const LINEAR = { inputs: 2048, outputs: 5632 };
const PROMPT = 128;
const DECODED = 16;
const simd128 = { isa: 'simd128', threads: 1 };
const relaxed = { isa: 'relaxed-simd', threads: 1 };

const scratch = mkdtempSync(join(tmpdir(), 'spikellm-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const [runtime, wllama] = ['onnxruntime-web', 'wllama'].map(installPeer);
writeFileSync(join(scratch, 'linear.onnx'), matMulModel({ ...LINEAR, count: 1 }));
if (parts.includes('model')) writeLlama(join(scratch, 'model.gguf'), SHAPES[values.shape], 'q4_0');
const opened = await openPage('bench.html', {
  '/scratch': scratch,
  ...('folder' in runtime && {
    '/onnxruntime-web': join(runtime.folder, 'node_modules/onnxruntime-web/dist'),
  }),
  ...('folder' in wllama && { '/wllama': join(wllama.folder, 'node_modules/@wllama/wllama/esm') }),
});
const call = (name, ...args) =>
  opened.page.evaluate(([name_, args_]) => globalThis.bench[name_](...args_), [name, args]);

const report = {
  machine: { cpu: cpus()[0].model, chromium: opened.version },
  settings: { ...LINEAR, shape: values.shape, promptTokens: PROMPT, decodeTokens: DECODED, rounds },
  measured: {},
  ratios: {},
  reasons: {
    ...('reason' in runtime && { 'onnxruntime-web': runtime.reason }),
    ...('reason' in wllama && { wllama: wllama.reason }),
  },
};
const began = performance.now();
const say = (what) => console.error(`${((performance.now() - began) / 1000).toFixed(0)} s: ${what}`);
try {
  if (parts.includes('linear')) await measureLinear();
  if (parts.includes('model')) await measureModel();
  if (parts.includes('demo')) await measureDemo();
} finally {
  await opened.close();
}
writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
console.log(JSON.stringify(report.ratios, undefined, 2));

/** Milliseconds of one spiking linear, ours over theirs turned round: above 1 is faster. */
async function measureLinear() {
  if ('folder' in runtime) await call('openRuntime', '/scratch/linear.onnx');
  for (const tokens of [1, 128]) {
    const sizes = { ...LINEAR, tokens };
    const ours = (options) => () => call('linear', options, sizes);
    const measured = await alternate(rounds, {
      simd128: ours(simd128),
      relaxed: ours(relaxed),
      simd128On2: ours({ ...simd128, threads: 2 }),
      relaxedOn2: ours({ ...relaxed, threads: 2 }),
      runtime: 'folder' in runtime ? () => call('ask', 'runtime', 'product', tokens) : null,
    });
    const name = `linear of ${tokens}, ms`;
    keep(name, measured);
    report.ratios[name] = {
      'simd128 to onnxruntime-web': ratioOf(measured.runtime, measured.simd128),
      'relaxed to simd128': ratioOf(measured.simd128, measured.relaxed),
      'simd128, two threads to one': ratioOf(measured.simd128, measured.simd128On2),
      'relaxed, two threads to one': ratioOf(measured.relaxed, measured.relaxedOn2),
    };
  }
}

/** Tokens per second of a whole model. Only one of the two is loaded at a time: each wants most of a gigabyte. */
async function measureModel() {
  const measured = {};
  for (const [name, options] of Object.entries({ simd128, relaxed })) {
    say(`${name} loads ${values.shape}`);
    await call('load', options, values.shape);
    say(`${name} runs`);
    const one = await alternate(rounds, {
      prompt: () => call('prompt', PROMPT),
      decode: () => call('decode', DECODED),
    });
    await call('unload');
    measured[`${name} prompt`] = one.prompt;
    measured[`${name} decode`] = one.decode;
  }
  if ('folder' in wllama) {
    say('wllama loads');
    await call('openWllama', '/scratch/model.gguf');
    say('wllama runs');
    const theirs = await alternate(rounds, {
      prompt: () => call('ask', 'wllama', 'prompt', PROMPT),
      decode: () => call('ask', 'wllama', 'decode', DECODED),
    });
    measured['wllama prompt'] = theirs.prompt;
    measured['wllama decode'] = theirs.decode;
  }
  keep('model, tokens/s', measured);
  report.ratios['model'] = Object.fromEntries(
    ['simd128', 'relaxed'].flatMap((name) =>
      ['prompt', 'decode'].map((what) => [
        `${name} ${what} to wllama`,
        ratioOf(measured[`${name} ${what}`], measured[`wllama ${what}`]),
      ]),
    ),
  );
}

/** Tokens per second of the bundled model, in float as it comes. */
async function measureDemo() {
  const measured = await alternate(rounds, {
    simd128: () => call('demo', simd128, 200),
    relaxed: () => call('demo', relaxed, 200),
  });
  keep('demo model, tokens/s', measured);
}

function keep(name, measured) {
  report.measured[name] = Object.fromEntries(
    Object.entries(measured).map(([side, all]) => [side, spreadOrNull(all)]),
  );
}
