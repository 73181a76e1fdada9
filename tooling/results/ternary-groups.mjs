/**
 * Time of one ternary linear with a scale a row and with scales for groups of columns, on float inputs and on spikes of 4 bits:
 * both in turn, the median of fifteen rounds. Prints a Markdown table.
 *
 *   node tooling/results/ternary-groups.mjs [outputs] [inputs] [group] [threads]
 */
import { countWeightSteps, createRunner, tritBytes, weightClasses } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';

const [O = 4096, C = 4096, group = 128, threads = 2] = process.argv.slice(2).map(Number);
const ROUNDS = 15;

let state = 1;
/** Numbers in [0, 1), the same ones each time. */
function draw() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const tensor = (type, data, ...dims) => ({ type, data, dims });
const trits = () => [0, 2, 4, 6].reduce((byte, shift) => byte | (Math.floor(3 * draw()) << shift), 0);

/** Steps [parts, C] of the three kinds of ternary weights. */
const WEIGHTS = {
  'T = 1': new Uint8Array(C).fill(1),
  'channels, 17.5 % at T = 3': Uint8Array.from({ length: C }, () => (draw() < 0.175 ? 3 : 1)),
  'elements, T = 1 and 3': new Uint8Array(2 * C).fill(1, 0, C).fill(3, C),
};

const backend = createCpuBackend({ threads });
const runner = createRunner(backend);

/** The two kernels of a linear with these steps; a scale a row where `columns` is not given. */
function prepare(steps, columns) {
  const weightParts = steps.length / C;
  const weightChannels = countWeightSteps(steps, 'weights', { group: columns, parts: weightParts });
  const [bytes, W] = [tritBytes(weightChannels), weightClasses(weightChannels).length];
  const constants = {
    weightSteps: tensor('uint8', steps, weightParts, C),
    weight: tensor('uint8', Uint8Array.from({ length: O * bytes }, trits), O, bytes),
    weightScale: tensor('float32', new Float32Array(O * W).fill(0.01), O, W),
  };
  const layout = { weightChannels, weightParts };
  const gif = { bits: 4, range: 'lossless', classes: [1] };
  const oneStep = tensor('uint8', new Uint8Array(C).fill(1), C);
  return {
    floats: runner.prepare('linear_ternary_f32', layout, constants),
    spikes: runner.prepare(
      'linear_ternary_codes_f32',
      { ...gif, ...layout },
      { ...constants, steps: oneStep },
    ),
  };
}

async function milliseconds(run, times) {
  await backend.synchronize();
  const began = performance.now();
  const results = Array.from({ length: times }, run);
  await backend.synchronize();
  const took = (performance.now() - began) / times;
  for (const { y } of results) y.dispose();
  return took;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

console.log(`${backend.report.device}; ${O} x ${C}, groups of ${group}\n`);
console.log(
  '| tokens | inputs | weights | scale a row, ms | groups, ms | ratio |\n|---|---|---|---|---|---|',
);
const linears = Object.entries(WEIGHTS).map(([label, steps]) => ({
  label,
  row: prepare(steps),
  groups: prepare(steps, group),
}));
for (const N of [1, 128]) {
  const inputs = {
    floats: { x: runner.upload(tensor('float32', Float32Array.from({ length: N * C }, draw), N, C)) },
    spikes: {
      codes: runner.upload(
        tensor(
          'uint8',
          Uint8Array.from({ length: N * C }, () => Math.floor(16 * draw())),
          N,
          C,
        ),
      ),
      scale: runner.upload(tensor('float32', new Float32Array(N).fill(0.1), N, 1)),
      zero: runner.upload(tensor('int32', new Int32Array(N).fill(7), N, 1)),
    },
  };
  for (const kind of ['floats', 'spikes']) {
    for (const { label, ...both } of linears) {
      const times = { row: [], groups: [] };
      for (let round = 0; round < ROUNDS; round++) {
        for (const [name, kernels] of Object.entries(both)) {
          const run = () => runner.apply(kernels[kind], inputs[kind]);
          times[name].push(await milliseconds(run, N === 1 ? 10 : 1));
        }
      }
      const [row, groups] = [median(times.row), median(times.groups)];
      const cells = [N, kind, label, row.toFixed(2), groups.toFixed(2), (groups / row).toFixed(2)];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}
runner.dispose();
backend.dispose();
