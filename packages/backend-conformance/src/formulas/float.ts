import { matrix, range, sum, type Formula } from './formula.ts';

const embedding: Formula = ({ ids, table }, { N, C }) => ({
  y: matrix(N, C, (n, c) => table[ids[n] * C + c]),
});

/** The number of 16 bits: for exponent bits e > 0, 1.fraction times 2^(e - 15), else 0.fraction times 2^-14. */
function half(bits: number): number {
  const [exponent, fraction] = [Math.floor(bits / 1024) % 32, (bits % 1024) / 1024];
  const size = exponent > 0 ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return bits >= 0x8000 ? -size : size;
}

const embeddingHalf: Formula = ({ ids, table }, { N, C }) => ({
  y: matrix(N, C, (n, c) => half(table[ids[n] * C + c])),
});

const add: Formula = ({ a, b }, { N, C }) => ({ y: range(N * C).map((i) => a[i] + b[i]) });

const rmsnorm: Formula = ({ x, weight }, { N, H, C }, { eps }: { eps: number }) => ({
  y: matrix(N, H * C, (n, column) => {
    const group = n * H * C + column - (column % C);
    const meanSquare = sum(C, (c) => x[group + c] ** 2) / C;
    return (x[n * H * C + column] / Math.sqrt(meanSquare + eps)) * weight[column % C];
  }),
});

const linear: Formula = ({ x, weight, bias }, { N, C, O }) => ({
  y: matrix(N, O, (n, o) => sum(C, (c) => x[n * C + c] * weight[o * C + c]) + (bias?.[o] ?? 0)),
});

const linearHalf: Formula = ({ weight, ...operands }, dims, attributes, scalars) =>
  linear({ ...operands, weight: Array.from(weight, half) }, dims, attributes, scalars);

const matmul: Formula = ({ a, b }, { N, C, O }) => ({
  y: matrix(N, C, (n, c) => sum(O, (o) => a[n * O + o] * b[o * C + c])),
});

const matmulTn: Formula = ({ a, b }, { N, C, O }) => ({
  y: matrix(C, O, (c, o) => sum(N, (n) => a[n * C + c] * b[n * O + o])),
});

const rope: Formula = ({ x, cos, sin }, { N, H, D, R }, _, { position }) => ({
  y: matrix(N, H * D, (n, column) => {
    const channel = column % D;
    if (channel >= 2 * R) return x[n * H * D + column];
    const partner = channel < R ? column + R : column - R;
    const angle = (position + n) * R + (channel % R);
    const sign = channel < R ? -1 : 1;
    return x[n * H * D + column] * cos[angle] + sign * x[n * H * D + partner] * sin[angle];
  }),
});

const hadamard: Formula = ({ x }, { N, C }) => {
  let m = C;
  while (m % 2 === 0) m /= 2;
  const sharedBits = (a: number, b: number): number =>
    sum(32, (bit) => Math.floor(a / 2 ** bit) % 2 && Math.floor(b / 2 ** bit) % 2);
  const entry = (c: number, d: number): number => {
    const angle = (2 * Math.PI * (c % m) * (d % m)) / m;
    const sign = (-1) ** sharedBits(Math.floor(c / m), Math.floor(d / m));
    return (sign * (Math.cos(angle) + Math.sin(angle))) / Math.sqrt(C);
  };
  const rotation = matrix(C, C, entry);
  return { y: matrix(N, C, (n, c) => sum(C, (d) => rotation[c * C + d] * x[n * C + d])) };
};

const crossEntropy: Formula = ({ logits, targets }, { N, V }) => ({
  y: range(N).map((n) => {
    const target = logits[n * V + targets[n]];
    const largest = Math.max(...range(V).map((v) => logits[n * V + v]));
    return Math.log(sum(V, (v) => Math.exp(logits[n * V + v] - largest))) + (largest - target);
  }),
});

export const floatFormulas = {
  embedding_f32: embedding,
  embedding_half_f32: embeddingHalf,
  add_f32: add,
  rmsnorm_f32: rmsnorm,
  linear_f32: linear,
  linear_half_f32: linearHalf,
  matmul_f32: matmul,
  matmul_tn_f32: matmulTn,
  rope_f32: rope,
  hadamard_f32: hadamard,
  cross_entropy_f32: crossEntropy,
};
