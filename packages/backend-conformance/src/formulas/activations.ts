import { range, sum, type Formula } from './formula.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const tanhGate = (x: number): number => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
const density = (x: number): number => Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI);

/** The normal distribution, its density integrated from x to where nothing is left, by Simpson's rule. */
function normal(x: number): number {
  const [steps, width] = [1000, 10 / 1000];
  const weight = (i: number): number => (i === 0 || i === steps ? 1 : i % 2 === 0 ? 2 : 4);
  const tail = (width / 3) * sum(steps + 1, (i) => weight(i) * density(Math.abs(x) + i * width));
  return x < 0 ? tail : 1 - tail;
}

/** Each activation and its derivative. */
const CURVES: Readonly<Record<string, readonly [(x: number) => number, (x: number) => number]>> = {
  relu: [(x) => (x > 0 ? x : 0), (x) => (x > 0 ? 1 : 0)],
  silu: [(x) => x * sigmoid(x), (x) => sigmoid(x) + x * sigmoid(x) * sigmoid(-x)],
  gelu_tanh: [
    (x) => x * tanhGate(x),
    (x) => {
      if (Math.abs(x) > 100) return x > 0 ? 1 : 0;
      const s = tanhGate(x);
      return s + x * s * (1 - s) * 2 * Math.sqrt(2 / Math.PI) * (1 + 0.134145 * x ** 2);
    },
  ],
  gelu: [(x) => x * normal(x), (x) => normal(x) + x * density(x)],
};
type Of = { readonly of: string };

const activation: Formula = ({ x }, { N, C }, { of }: Of) => ({
  y: range(N * C).map((i) => CURVES[of][0](x[i])),
});

const activationBackward: Formula = ({ x, dy }, { N, C }, { of }: Of) => ({
  dx: range(N * C).map((i) => dy[i] * CURVES[of][1](x[i])),
});

export const gated: Formula = ({ gate, up }, { N, C }, { of }: Of) => ({
  y: range(N * C).map((i) => CURVES[of][0](gate[i]) * up[i]),
});

const gatedBackward: Formula = ({ gate, up, dy }, { N, C }, { of }: Of) => ({
  dup: range(N * C).map((i) => dy[i] * CURVES[of][0](gate[i])),
  dgate: range(N * C).map((i) => dy[i] * up[i] * CURVES[of][1](gate[i])),
});

const scale: Formula = ({ x }, _, { factor }: { factor: number }) => ({
  y: Array.from(x, (value) => value * factor),
});

const softcap: Formula = ({ x }, _, { cap }: { cap: number }) => ({
  y: Array.from(x, (value) => cap * Math.tanh(value / cap)),
});

const softcapBackward: Formula = ({ x, dy }, _, { cap }: { cap: number }) => ({
  dx: Array.from(x, (value, i) => dy[i] / Math.cosh(value / cap) ** 2),
});

export const activationFormulas = {
  activation_f32: activation,
  activation_backward_f32: activationBackward,
  gated_f32: gated,
  gated_backward_f32: gatedBackward,
  scale_f32: scale,
  softcap_f32: softcap,
  softcap_backward_f32: softcapBackward,
};
