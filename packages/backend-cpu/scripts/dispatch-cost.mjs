// Microseconds that the main thread spends on one dispatch of a prepared kernel with unchanged shapes, its outputs
// allocated and freed: node scripts/dispatch-cost.mjs
import { createRunner } from '@spikellm/backend';
import { createCpuBackend } from '../dist/index.js';

const ROUNDS = 200;
const RUNS = 100;

const backend = createCpuBackend({ threads: 1 });
const runner = createRunner(backend);
const zeros = (...dims) => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((size, dim) => size * dim, 1)),
});
const x = runner.upload(zeros(1, 16));
const weight = runner.upload(zeros(16));
const k = runner.upload(zeros(1, 8));
const cache = { keys: runner.upload(zeros(64, 8)), values: runner.upload(zeros(64, 8)) };
const add = runner.prepare('add_f32', {}, {});
const heads = { H: 2, K: 1, D: 8, scale: 1 / Math.sqrt(8), window: 0, softcap: 0 };
const attend = runner.prepare('attend_f32', heads, {});
const steps = { type: 'uint8', dims: [16], data: new Uint8Array(16).fill(1).fill(2, 12) };
const encode = runner.prepare('gif_encode_f32', { bits: 4, range: 'lossless', classes: [1, 2] }, { steps });

const calls = {
  'apply add_f32': () => runner.apply(add, { a: x, b: x }),
  'apply attend_f32': (i) => runner.apply(attend, { q: x, k, v: k, ...cache }, { position: i % 64 }),
  'apply gif_encode_f32': () => runner.apply(encode, { x }),
  'run rmsnorm_f32': () => runner.run('rmsnorm_f32', { x, weight }, { eps: 1e-5, H: 1 }),
};
for (const [name, call] of Object.entries(calls)) {
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    runner.scope(() => {
      for (let i = 0; i < RUNS; i++) call(i);
    });
    times.push(((performance.now() - began) * 1000) / RUNS);
    await backend.synchronize();
  }
  const [best, median] = [Math.min(...times), times.toSorted((a, b) => a - b)[ROUNDS >> 1]];
  console.log(`${name.padEnd(22)} best ${best.toFixed(2)} us, median ${median.toFixed(2)} us`);
}
backend.dispose();
