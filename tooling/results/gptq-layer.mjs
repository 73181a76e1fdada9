/**
 * Time of GPTQ for one linear of 4096 outputs and 11008 inputs, with 2048 calibration tokens: Hessian, its factor and the
 * sweep, each beside the operations that it needs and the share of what the machine's float multiply-adds reach.
 *
 *   node tooling/results/gptq-layer.mjs [outputs] [inputs] [tokens] [threads]
 */
import { createRunner } from '@spikellm/backend';
import { createCpuBackend, measureLimits } from '@spikellm/backend-cpu';
import { defaultsOf, factorHessian, GPTQ_FIELDS, integerMethod, ternaryMethod } from '@spikellm/calibration';

const [O = 4096, C = 11008, N = 2048, threads = 2] = process.argv.slice(2).map(Number);

/** Numbers in [-1, 1) that repeat with the seed. */
function draw(length, seed) {
  const values = new Float32Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return values;
}

const limits = await measureLimits({ threads });
const peak = limits.f32Gflops;
const backend = createCpuBackend({ threads });
const runner = createRunner(backend);
const weights = draw(O * C, 1);
let total = 0;
console.log(`${backend.report.device}, float peak ${peak.toFixed(0)} GFLOP/s; ${O} x ${C}, ${N} tokens\n`);
console.log('| part | seconds | GFLOP/s | share of the float peak |\n|---|---|---|---|');
async function timed(part, operations, work) {
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  total += seconds;
  const rate = operations / seconds / 1e9;
  console.log(
    `| ${part} | ${seconds.toFixed(1)} | ${rate.toFixed(1)} | ${((100 * rate) / peak).toFixed(0)} % |`,
  );
  return result;
}

const x = runner.upload({ type: 'float32', data: draw(N * C, 2), dims: [N, C] });
const sums = await timed('Hessian', N * C * C, async () => {
  const hessian = backend.allocate('float32', [C, C]);
  runner.run('gram_f32', { x, hessian });
  const { data } = await backend.read(hessian);
  hessian.dispose();
  return data.map((value) => 2 * value);
});
const hessian = await timed('factor, in float64', C ** 3 / 3, () =>
  factorHessian(sums, { backend, damping: 0.01, actOrder: true, where: 'layer' }),
);
await timed('sweep, 4 bits', O * C * C, () => integerMethod(4)(backend, weights, hessian));
console.log(`| together | ${total.toFixed(1)} | | |`);
const settings = { ...defaultsOf(GPTQ_FIELDS), weights: 'ternary' };
await timed('sweep, ternary', O * C * C, () => ternaryMethod(settings)(backend, weights, hessian));
runner.dispose();
backend.dispose();
