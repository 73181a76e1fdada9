/** Formulas of spiking linear layers together with what stands before and after them. */
import { gated } from './activations.ts';
import { matrix, range, sum, type Formula, type Operands } from './formula.ts';
import { encode, linearCodes, type GifAttributes } from './spiking.ts';

type Attributes = GifAttributes & { readonly weightBits: number; readonly eps: number };

const f32 = Math.fround;

/** The codes of the norm of x. Three results of it are rounded to float32, so that equal bits are encoded. */
const encodedNorm: Formula = ({ x, norm, ...operands }, dims, attributes: Attributes, scalars) => {
  const { N, C } = dims;
  const meanSquare = range(N).map((n) => sum(C, (c) => x[n * C + c] ** 2) / C);
  const inverse = meanSquare.map((mean) => f32(1 / Math.sqrt(mean + attributes.eps)));
  const y = matrix(N, C, (n, c) => f32(f32(x[n * C + c] * inverse[n]) * norm[c]));
  return encode({ ...operands, x: y }, dims, attributes as never, scalars);
};

/** One of several linears: its constants are named `<prefix>Weight` and so on. */
const linearOf =
  (prefix: string, outputs: (dims: Readonly<Record<string, number>>) => number) =>
  (codes: Operands, ...[operands, dims, attributes, scalars]: Parameters<Formula>) =>
    linearCodes(
      {
        ...codes,
        steps: operands.steps,
        weight: operands[`${prefix}Weight`],
        weightScale: operands[`${prefix}WeightScale`],
        weightZero: operands[`${prefix}WeightZero`],
        ...(operands[`${prefix}Bias`] && { bias: operands[`${prefix}Bias`] }),
      },
      { ...dims, O: outputs(dims) },
      attributes,
      scalars,
    ).y;

const q = linearOf('q', ({ H, D }) => H * D);
const [k, v] = ['k', 'v'].map((prefix) => linearOf(prefix, ({ K, D }) => K * D));
const [gate, up] = ['gate', 'up'].map((prefix) => linearOf(prefix, ({ O }) => O));

const linearGif: Formula = (...[operands, dims, attributes, scalars]) => {
  const codes = encode(operands, dims, attributes, scalars);
  const { y } = linearCodes({ ...operands, ...codes }, dims, attributes, scalars);
  return { y: Array.from(y, (value, i) => value + (operands.add?.[i] ?? 0)) };
};

const qkvGif: Formula = (...call) => {
  const codes = encodedNorm(...call);
  return { q: q(codes, ...call), k: k(codes, ...call), v: v(codes, ...call) };
};

const gateUpGif: Formula = (...call) => {
  const codes = encodedNorm(...call);
  const [, { N, O }, attributes, scalars] = call;
  return gated({ gate: gate(codes, ...call), up: up(codes, ...call) }, { N, C: O }, attributes, scalars);
};

export const fusedFormulas = {
  linear_gif_f32: linearGif,
  qkv_gif_f32: qkvGif,
  gate_up_gif_f32: gateUpGif,
};
