/**
 * One step of block-wise training (forward, backward, update) of a decoder layer against its matrix products alone, in
 * one run on the native backend, round about:
 *
 *   node tooling/bench/training.mjs [shape] [tokens] [rounds]
 */
import { createRunner } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { SHAPES, spreadOf } from '@spikellm/benchmark';
import {
  createStream,
  DEFAULT_SETTINGS,
  defaultsOf,
  initialParameters,
  trainLayer,
  TRAINING_FIELDS,
  uniformSteps,
} from '@spikellm/calibration';
import {
  createRandom,
  FAMILIES,
  floatWeight,
  hostTensor,
  inputSites,
  linearRows,
  nodesOf,
  parseModel,
} from '@spikellm/graph';

const [shape = '1.1b', tokens = '256', rounds = '5'] = process.argv.slice(2);
const length = Number(tokens);
const graph = parseModel({
  model_type: FAMILIES[0].modelType,
  ...SHAPES[shape],
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
});
const { hiddenSize } = graph.config;
const [layer] = graph.layers;
const linears = nodesOf(layer, 'linear').map((node) => ({ node, ...linearRows(layer.prefix, node) }));
const random = createRandom(0);
const block = Float32Array.from({ length: 65_537 }, () => 2 * random.real() - 1);
/** Numbers that repeat after a length that is no row's. */
const floats = (size, scale) =>
  Float32Array.from({ length: size }, (_, i) => scale * block[i % block.length]);
const matrix = (rows, columns, scale) =>
  hostTensor('float32', floats(rows * columns, scale), [rows, columns]);

const ones = hostTensor('float32', new Float32Array(hiddenSize).fill(1));
const matrices = linears.map(({ outputs, inputs }) => matrix(outputs, inputs, Math.sqrt(3 / inputs)));
const weights = {
  norms: new Map(nodesOf(layer, 'norm').map((node) => [node.name, { node, weight: ones }])),
  linears: new Map(linears.map(({ node }, i) => [node.name, { node, weight: floatWeight(matrices[i]) }])),
};
const backend = createCpuBackend();
const training = { ...defaultsOf(TRAINING_FIELDS), epochs: 1 };

/** Seconds of every step of one training but the first, which allocates and packs. */
async function timeSteps(count) {
  const windows = count + 1;
  const stream = async (name) => {
    const made = await createStream({
      backend,
      dims: [length, hiddenSize],
      resident: windows,
      folder: '',
      name,
    });
    for (let window = 0; window < windows; window++) {
      await made.set(window, backend.upload(matrix(length, hiddenSize, 1)));
    }
    return made;
  };
  const [inputs, targets] = [await stream('inputs'), await stream('targets')];
  const absmax = Object.fromEntries(
    inputSites(layer).map(({ name, channels }) => [name, new Float64Array(channels).fill(1)]),
  );
  const times = [];
  await trainLayer({
    backend,
    graph,
    layer,
    weights,
    steps: uniformSteps(layer, DEFAULT_SETTINGS, 1),
    settings: DEFAULT_SETTINGS,
    training,
    parameters: initialParameters(weights, layer, absmax, training),
    length,
    windows,
    inputs,
    targets: [targets],
    where: 'benchmark',
    onStep: () => times.push(performance.now()),
  });
  for (const each of [inputs, targets]) await each[Symbol.asyncDispose]();
  return times.slice(1).map((time, i) => (time - times[i]) / 1000);
}

/** Seconds of the products of one step: y = x W^T, dx = dy W and dW = dy^T x of every linear. */
async function timeProducts(count) {
  const runner = createRunner(backend);
  const kernels = ['linear_f32', 'matmul_f32', 'matmul_tn_f32'].map((name) => runner.prepare(name, {}, {}));
  const operands = linears.map(({ inputs, outputs }, i) => ({
    x: runner.upload(matrix(length, inputs, 1)),
    dy: runner.upload(matrix(length, outputs, 1)),
    weight: runner.upload(matrices[i]),
    y: runner.upload(matrix(length, outputs, 0)),
    dx: runner.upload(matrix(length, inputs, 0)),
    dweight: runner.upload(matrix(outputs, inputs, 0)),
  }));
  const times = [];
  for (let round = 0; round <= count; round++) {
    const began = performance.now();
    for (const { x, dy, weight, y, dx, dweight } of operands) {
      backend.dispatch(kernels[0], { x, weight, y }, {});
      backend.dispatch(kernels[1], { a: dy, b: weight, y: dx }, {});
      backend.dispatch(kernels[2], { a: dy, b: x, y: dweight }, {});
    }
    await backend.synchronize();
    times.push((performance.now() - began) / 1000);
  }
  runner.dispose();
  return times.slice(1);
}

const [steps, products] = [[], []];
for (let round = 0; round < Number(rounds); round++) {
  products.push(...(await timeProducts(2)));
  steps.push(...(await timeSteps(2)));
}
const operations = 3 * 2 * length * linears.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
const shown = ({ median, min, max }) => `${median.toFixed(3)} s (${min.toFixed(3)} to ${max.toFixed(3)})`;
const [step, product] = [spreadOf(steps), spreadOf(products)];
console.log(`${backend.report.device}, ${backend.report.threads} threads; ${shape}, ${length} tokens`);
console.log(`products  ${shown(product)}, ${(operations / product.median / 1e9).toFixed(0)} GFLOP/s`);
console.log(`step      ${shown(step)}, ${(step.median / product.median).toFixed(2)} times that`);
backend.dispose();
