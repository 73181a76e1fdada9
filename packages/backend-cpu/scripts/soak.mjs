// Whether long use leaves something behind: node scripts/soak.mjs
// Prints resident memory after 2,000 and 10,000 rounds of a small decoder's work, made and disposed in each, and the
// threads of the process before and after 1,000 backends. Exits with 1 where either has grown.
import { readdirSync } from 'node:fs';
import { createRunner } from '@spikellm/backend';
import { createCpuBackend } from '../dist/index.js';

const ROUNDS = 10_000;
const FIRST = 2_000;
const BACKENDS = 1_000;
const MOST_GROWTH = 8 * 2 ** 20;
const C = 32;
const TOKENS = 8;

const zeros = (...dims) => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)).fill(0.1),
});
const steps = { type: 'uint8', dims: [C], data: new Uint8Array(C).fill(1).fill(2, C - 4) };
const gif = { bits: 4, range: 'lossless', classes: [1, 2] };
const packed = {
  weight: { type: 'uint8', dims: [C, C / 2], data: new Uint8Array((C * C) / 2).fill(0x97) },
  weightScale: zeros(C),
  weightZero: { type: 'int32', dims: [C], data: new Int32Array(C).fill(8) },
};

/** A spiking linear, attention with its cache, a float head; a prompt and then tokens one by one, each read. */
async function generate(backend) {
  const runner = createRunner(backend);
  const linear = runner.prepare('linear_gif_f32', { ...gif, weightBits: 4 }, { steps, ...packed });
  const head = runner.upload(zeros(C, C));
  const cache = { keys: runner.upload(zeros(TOKENS * 2, C)), values: runner.upload(zeros(TOKENS * 2, C)) };
  let position = 0;
  for (let token = 0; token < TOKENS; token++) {
    const x = backend.upload(zeros(token === 0 ? TOKENS : 1, C));
    const logits = runner.scope(() => {
      const { y: q } = runner.apply(linear, { x });
      const { y } = runner.run(
        'attend_f32',
        { q, k: q, v: q, ...cache },
        { H: 2, K: 2, D: C / 2, scale: 0.25, window: 0, softcap: 0 },
        { position },
      );
      return runner.run('linear_f32', { x: y, weight: head }).y;
    });
    position += x.dims[0];
    await backend.read(logits);
    logits.dispose();
    x.dispose();
  }
  runner.dispose();
}

const resident = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss();
};
const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
const threads = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0);

const backend = createCpuBackend({ threads: 2 });
let first = 0;
for (let round = 1; round <= ROUNDS; round++) {
  await generate(backend);
  if (round === FIRST) first = resident();
}
const last = resident();
console.log(`resident after ${FIRST} rounds ${mib(first)} MiB, after ${ROUNDS} rounds ${mib(last)} MiB`);
console.log(`live bytes ${backend.liveBytes}`);
const before = threads();
for (let round = 0; round < BACKENDS; round++) {
  const other = createCpuBackend({ threads: 2 });
  await other.synchronize();
  other.dispose();
}
// Threads end a little later than `dispose`.
for (let turn = 0; turn < 100 && threads() > before; turn++) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log(`threads before ${BACKENDS} backends ${before}, after ${threads()}`);
if (last - first > MOST_GROWTH || backend.liveBytes > 0 || threads() > before) process.exitCode = 1;
backend.dispose();
