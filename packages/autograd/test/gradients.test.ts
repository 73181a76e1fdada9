/**
 * Gradients of each operation against central differences of the operation written down in float64, at odd shapes, on the
 * reference backend. Every element of y counts differently in the loss.
 */
import { createReferenceBackend, createRunner, type HostTensor } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createRotation, createTape, createWorkspace, type Tape, type Value } from '../src/index.ts';
import { createRandom } from './random.ts';

type Arrays = Readonly<Record<string, Float64Array>>;
interface Operation {
  /** Dims of the inputs that are differentiated. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly run: (tape: Tape, values: Record<string, Value>) => Value;
  readonly formula: (x: Arrays) => number[];
  /** From a number in (-1, 1) to the input. */
  readonly draw?: (x: number) => number;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const total = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
const matrix = (rows: number, columns: number, f: (r: number, c: number) => number): number[] =>
  range(rows * columns).map((i) => f(Math.floor(i / columns), i % columns));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Normalised rows times weight plus bias. */
const norm = (x: Float64Array, C: number, eps: number, centred: boolean) => (n: number, c: number) => {
  const row = x.slice(n * C, (n + 1) * C);
  const mean = centred ? total(row) / C : 0;
  const variance = total(row.map((value) => (value - mean) ** 2)) / C;
  return (row[c] - mean) / Math.sqrt(variance + eps);
};

/** Attention written down for one query, head and channel at a time. */
function attention(
  { q, k, v, closed }: Arrays,
  N: number,
  [H, K, D]: readonly [number, number, number],
  { block = 1, scale = 1 / Math.sqrt(D), window = N, softcap = 0 } = {},
): number[] {
  return matrix(N, H * D, (n, column) => {
    const h = Math.floor(column / D);
    const cached = (t: number, d: number): number => (t * K + Math.floor((h * K) / H)) * D + d;
    const keysOf = (t: number): Float64Array =>
      closed && Math.floor(t / block) < Math.floor(n / block) ? closed : k;
    const weights = range(n + 1).map((t) => {
      if (n - t >= window) return 0;
      const score = scale * total(range(D).map((d) => q[(n * H + h) * D + d] * keysOf(t)[cached(t, d)]));
      return Math.exp(softcap === 0 ? score : softcap * Math.tanh(score / softcap));
    });
    return total(weights.map((weight, t) => (weight * v[cached(t, column % D)]) / total(weights)));
  });
}

const targets = [2, 0, 4];
const ids = [1, 3, 1, 0, 1];
const int32 = (data: readonly number[]): HostTensor => ({
  type: 'int32',
  data: Int32Array.from(data),
  dims: [data.length],
});
const rotary = { cos: [1, 0.9, 0.5, 0.2, -0.4, -0.8], sin: [0, 0.4, 0.9, 0.98, 0.9, 0.6] };
const target = range(3 * 5).map((i) => Math.sin(i));

const runner = createRunner(createReferenceBackend());
const workspace = createWorkspace(runner);
const rotation = createRotation(runner, Float32Array.from(rotary.cos), Float32Array.from(rotary.sin), 3);
const onDevice = {
  targets: runner.upload(int32(targets)),
  ids: runner.upload(int32(ids)),
  target: runner.upload({ type: 'float32', data: Float32Array.from(target), dims: [3, 5] }),
};

/** Softmax of rows over the `top` largest, or over all with 0 for the others. */
const routed = (x: Float64Array, E: number, top: number, renormalised: boolean): number[] =>
  matrix(x.length / E, E, (n, e) => {
    const row = x.slice(n * E, (n + 1) * E);
    const least = row.toSorted((a, b) => b - a)[top - 1];
    const sum = total(row.map((score) => (renormalised && score < least ? 0 : Math.exp(score))));
    return row[e] < least ? 0 : Math.exp(row[e]) / sum;
  });

const operations: Record<string, Operation> = {
  'route, adding up to 1': {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.route(x, { top: 2, renormalised: true }),
    formula: ({ x }) => routed(x, 5, 2, true),
  },
  'route, probabilities of all': {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.route(x, { top: 2, renormalised: false }),
    formula: ({ x }) => routed(x, 5, 2, false),
  },
  weigh: {
    inputs: { x: [3, 5], by: [3, 4] },
    run: (tape, { x, by }) => tape.weigh(x, by, 2),
    formula: ({ x, by }) => matrix(3, 5, (n, c) => x[n * 5 + c] * by[n * 4 + 2]),
  },
  linear: {
    inputs: { x: [3, 5], weight: [7, 5], bias: [7] },
    run: (tape, { x, weight, bias }) => tape.linear(x, weight, bias),
    formula: ({ x, weight, bias }) =>
      matrix(3, 7, (n, o) => total(range(5).map((c) => x[n * 5 + c] * weight[o * 5 + c])) + bias[o]),
  },
  'add of one value to itself and another': {
    inputs: { a: [3, 5], b: [3, 5] },
    run: (tape, { a, b }) => tape.add(tape.add(a, b), a),
    formula: ({ a, b }) => range(15).map((i) => 2 * a[i] + b[i]),
  },
  rmsnorm: {
    inputs: { x: [3, 5], weight: [5] },
    run: (tape, { x, weight }) => tape.rmsnorm(x, weight, 0.01),
    formula: ({ x, weight }) => matrix(3, 5, (n, c) => norm(x, 5, 0.01, false)(n, c) * weight[c]),
  },
  'rmsnorm of groups': {
    inputs: { x: [2, 6], weight: [3] },
    run: (tape, { x, weight }) => tape.rmsnorm(x, weight, 0.01, 2),
    formula: ({ x, weight }) => matrix(4, 3, (n, c) => norm(x, 3, 0.01, false)(n, c) * weight[c]),
  },
  layernorm: {
    inputs: { x: [3, 5], weight: [5], bias: [5] },
    run: (tape, { x, weight, bias }) => tape.layernorm(x, weight, bias, 0.01),
    formula: ({ x, weight, bias }) =>
      matrix(3, 5, (n, c) => norm(x, 5, 0.01, true)(n, c) * weight[c] + bias[c]),
  },
  hadamard: {
    inputs: { x: [3, 12] },
    run: (tape, { x }) => tape.hadamard(x),
    // H of 4 and, with cas(2 pi / 3) = c, the Hartley matrix of 3.
    formula: ({ x }) =>
      matrix(3, 12, (n, c) => {
        const angle = (2 * Math.PI * (c % 3)) / 3;
        return range(12).reduce((sum, d) => {
          const shared = Math.floor(c / 3) & Math.floor(d / 3);
          const sign = shared === 1 || shared === 2 ? -1 : 1;
          const cas = Math.cos(angle * (d % 3)) + Math.sin(angle * (d % 3));
          return sum + (sign * cas * x[12 * n + d]) / Math.sqrt(12);
        }, 0);
      }),
  },
  'gate of silu': {
    inputs: { gate: [3, 5], up: [3, 5] },
    run: (tape, { gate, up }) => tape.gated(gate, up, 'silu'),
    formula: ({ gate, up }) => range(15).map((i) => gate[i] * sigmoid(gate[i]) * up[i]),
    draw: (x) => 4 * x,
  },
  'gate of gelu_tanh': {
    inputs: { gate: [3, 5], up: [3, 5] },
    run: (tape, { gate, up }) => tape.gated(gate, up, 'gelu_tanh'),
    formula: ({ gate, up }) =>
      range(15).map(
        (i) => gate[i] * sigmoid(2 * Math.sqrt(2 / Math.PI) * (gate[i] + 0.044715 * gate[i] ** 3)) * up[i],
      ),
    draw: (x) => 3 * x,
  },
  scale: {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.scale(x, -1.5),
    formula: ({ x }) => Array.from(x, (value) => -1.5 * value),
  },
  softcap: {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.softcap(x, 2),
    formula: ({ x }) => Array.from(x, (value) => 2 * Math.tanh(value / 2)),
    draw: (x) => 4 * x,
  },
  relu: {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.activation(x, 'relu'),
    formula: ({ x }) => Array.from(x, (value) => Math.max(value, 0)),
  },
  gelu: {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.activation(x, 'gelu_tanh'),
    formula: ({ x }) =>
      Array.from(x, (u) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3)))),
    draw: (x) => 3 * x,
  },
  rope: {
    inputs: { x: [3, 12] },
    run: (tape, { x }) => tape.rope(x, rotation, { H: 3, D: 4 }),
    formula: ({ x }) =>
      matrix(3, 12, (n, column) => {
        const [partner, sign] = column % 4 < 2 ? [column + 2, -1] : [column - 2, 1];
        const angle = n * 2 + (column % 2);
        return x[n * 12 + column] * rotary.cos[angle] + sign * x[n * 12 + partner] * rotary.sin[angle];
      }),
  },
  'attention of grouped heads': {
    inputs: { q: [5, 12], k: [5, 6], v: [5, 6] },
    run: (tape, { q, k, v }) => tape.attend(q, k, v, { H: 4, K: 2, D: 3 }),
    formula: (x) => attention(x, 5, [4, 2, 3]),
    draw: (x) => 2 * x,
  },
  'attention with closed keys': {
    inputs: { q: [7, 6], k: [7, 3], v: [7, 3], closed: [7, 3] },
    run: (tape, { q, k, v, closed }) =>
      tape.attend(q, k, v, { H: 2, K: 1, D: 3 }, { keys: closed, block: 3 }),
    formula: (x) => attention(x, 7, [2, 1, 3], { block: 3 }),
    draw: (x) => 2 * x,
  },
  'attention over a window, scaled and capped, with closed keys': {
    inputs: { q: [7, 6], k: [7, 3], v: [7, 3], closed: [7, 3] },
    run: (tape, { q, k, v, closed }) =>
      tape.attend(
        q,
        k,
        v,
        { H: 2, K: 1, D: 3, scale: 0.8, window: 4, softcap: 1.5 },
        { keys: closed, block: 3 },
      ),
    formula: (x) => attention(x, 7, [2, 1, 3], { block: 3, scale: 0.8, window: 4, softcap: 1.5 }),
    draw: (x) => 2 * x,
  },
  'weights of 16 bits': {
    inputs: { weight: [3, 5], columns: [5], rows: [3] },
    run: (tape, { weight, columns, rows }) => tape.roundWeight(weight, { columns, rows }, 16),
    formula: ({ weight, columns, rows }) => matrix(3, 5, (o, c) => weight[o * 5 + c] * columns[c] * rows[o]),
  },
  divide: {
    inputs: { a: [5], divisor: [5] },
    run: (tape, { a, divisor }) => tape.divide(a, divisor),
    formula: ({ a, divisor }) => range(5).map((c) => a[c] / divisor[c]),
    draw: (x) => 2 + x,
  },
  gather: {
    inputs: { x: [4] },
    run: (tape, { x }) => tape.gather(x, onDevice.ids),
    formula: ({ x }) => ids.map((id) => x[id]),
  },
  embedding: {
    inputs: { table: [4, 3] },
    run: (tape, { table }) => tape.embedding(onDevice.ids, table),
    formula: ({ table }) => matrix(5, 3, (n, c) => table[ids[n] * 3 + c]),
  },
  'squared error': {
    inputs: { x: [3, 5] },
    run: (tape, { x }) => tape.squaredError(x, onDevice.target),
    formula: ({ x }) =>
      range(3).map((n) => total(range(5).map((c) => (x[n * 5 + c] - target[n * 5 + c]) ** 2)) / 5),
  },
  'cross entropy': {
    inputs: { logits: [3, 5] },
    run: (tape, { logits }) => tape.crossEntropy(logits, onDevice.targets),
    formula: ({ logits }) =>
      range(3).map((n) => {
        const row = logits.slice(n * 5, (n + 1) * 5);
        return Math.log(total(row.map(Math.exp))) - row[targets[n]];
      }),
    draw: (x) => 3 * x,
  },
};

const mask = (i: number): number => 0.5 + ((7 * i) % 11) / 10;
/** The mean over y of (y - mask)^2 for a matrix, of y / mask for a vector. */
function lossOf(tape: Tape, y: Value): Value {
  const { dims } = y.tensor;
  const size = dims.reduce((a, b) => a * b, 1);
  const masks = runner.upload({ type: 'float32', data: Float32Array.from(range(size), mask), dims });
  return dims.length === 1 ? tape.divide(y, tape.constant(masks)) : tape.squaredError(y, masks);
}
const lossFormula = (y: readonly number[], rank: number): number =>
  total(y.map((value, i) => (rank === 1 ? value / mask(i) : (value - mask(i)) ** 2))) / y.length;

describe('gradient of', () => {
  it.each(Object.entries(operations))('%s', async (name, { inputs, run, formula, draw = (x) => x }) => {
    const random = createRandom(name.length);
    const x: Record<string, Float64Array> = {};
    for (const [input, dims] of Object.entries(inputs)) {
      const size = dims.reduce((a, b) => a * b, 1);
      x[input] = Float64Array.from({ length: size }, () => Math.fround(draw(random())));
    }
    using tape = createTape(workspace);
    const values: Record<string, Value> = {};
    for (const [input, data] of Object.entries(x)) {
      const tensor = runner.upload({ type: 'float32', data: Float32Array.from(data), dims: inputs[input] });
      values[input] = tape.parameter(tensor);
    }
    const y = run(tape, values);
    const got = (await runner.backend.read(y.tensor)).data as Float32Array;
    formula(x).forEach((want, i) => expect(got[i]).toBeCloseTo(want, 5));
    const rank = y.tensor.dims.length;
    const gradients = tape.backward(lossOf(tape, y));

    for (const [input, value] of Object.entries(values)) {
      const gradient = (await runner.backend.read(gradients.get(value)!)).data as Float32Array;
      expect(gradient).toHaveLength(x[input].length);
      x[input].forEach((centre, i) => {
        const step = 1e-4;
        const at = (offset: number): number =>
          lossFormula(formula({ ...x, [input]: x[input].with(i, centre + offset) }), rank);
        const difference = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
        expect(Math.abs(gradient[i] - difference)).toBeLessThan(1e-6 + 1e-5 * Math.abs(difference));
      });
    }
  });
});
