/** Activations of the reference backend, alone and as gates. */
import type { Dims } from '../kernel.ts';
import type { Activation } from '../table/domains.ts';
import type { F32 } from './kernel.ts';

interface Of {
  readonly of: Activation;
}
/** An activation and what its gradient makes of the gradient of its result. */
interface Curve {
  readonly value: (x: number) => number;
  readonly gradient: (x: number, dy: number) => number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const SLOPE = Math.sqrt(2 / Math.PI);
/** tanh(u) = 2 sigmoid(2 u) - 1. */
const geluGate = (x: number): number => sigmoid(2 * SLOPE * (x + 0.044715 * x ** 3));

/** erfc(z) / 2 for z >= 0: below 2 from the series of erf, whose terms are all positive, then as a continued fraction. */
function upperTail(z: number): number {
  const density = Math.exp(-z * z) / Math.sqrt(Math.PI);
  if (z >= 2) {
    let fraction = z;
    for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
    return density / (2 * fraction);
  }
  let term = z;
  let sum = z;
  for (let n = 1; n < 60; n++) sum += term *= (2 * z * z) / (2 * n + 1);
  return 0.5 - density * sum;
}
/** Phi(x), the normal distribution. */
const normal = (x: number): number =>
  x < 0 ? upperTail(-x * Math.SQRT1_2) : 1 - upperTail(x * Math.SQRT1_2);

const CURVES: Readonly<Record<Activation, Curve>> = {
  relu: {
    value: (x) => Math.max(x, 0),
    gradient: (x, dy) => (x > 0 ? dy : 0),
  },
  silu: {
    value: (x) => x / (1 + Math.exp(-x)),
    gradient(x, dy) {
      const s = sigmoid(x);
      return dy * s * (1 + x * (1 - s));
    },
  },
  gelu_tanh: {
    value: (x) => x * geluGate(x),
    gradient(x, dy) {
      const s = geluGate(x);
      const slope = SLOPE * (1 + 3 * 0.044715 * x ** 2);
      // Where the gate is shut or open for good, x times the slope may be infinite.
      return dy * (s + (s === 0 || s === 1 ? 0 : 2 * x * slope * s * (1 - s)));
    },
  },
  gelu: {
    value: (x) => x * normal(x),
    gradient: (x, dy) => dy * (normal(x) + (x * Math.exp(-(x ** 2) / 2)) / Math.sqrt(2 * Math.PI)),
  },
};

/** y = a(x). */
export function activate({ x, y }: { x: F32; y: F32 }, _: Dims, { of }: Of): void {
  const { value } = CURVES[of];
  for (let i = 0; i < x.length; i++) y[i] = value(x[i]);
}

/** Gradient of `activate`. */
export function activateBackward({ x, dy, dx }: { x: F32; dy: F32; dx: F32 }, _: Dims, { of }: Of): void {
  const { gradient } = CURVES[of];
  for (let i = 0; i < x.length; i++) dx[i] = gradient(x[i], dy[i]);
}

/** y = a(gate) up. */
export function gated({ gate, up, y }: { gate: F32; up: F32; y: F32 }, _: Dims, { of }: Of): void {
  const { value } = CURVES[of];
  for (let i = 0; i < y.length; i++) y[i] = value(gate[i]) * up[i];
}

/** Gradients of `gated`. */
export function gatedBackward(
  { gate, up, dy, dgate, dup }: Record<'gate' | 'up' | 'dy' | 'dgate' | 'dup', F32>,
  _: Dims,
  { of }: Of,
): void {
  const { value, gradient } = CURVES[of];
  for (let i = 0; i < dy.length; i++) {
    dup[i] = dy[i] * value(gate[i]);
    dgate[i] = gradient(gate[i], dy[i] * up[i]);
  }
}

/** y = x factor. */
export function scale({ x, y }: { x: F32; y: F32 }, _: Dims, { factor }: { factor: number }): void {
  const rounded = Math.fround(factor);
  for (let i = 0; i < x.length; i++) y[i] = x[i] * rounded;
}

/** y = cap tanh(x / cap). */
export function softcap({ x, y }: { x: F32; y: F32 }, _: Dims, { cap }: { cap: number }): void {
  for (let i = 0; i < x.length; i++) y[i] = cap * Math.tanh(x[i] / cap);
}

/** Gradient of `softcap`. */
export function softcapBackward(
  { x, dy, dx }: { x: F32; dy: F32; dx: F32 },
  _: Dims,
  { cap }: { cap: number },
): void {
  for (let i = 0; i < x.length; i++) dx[i] = dy[i] * (1 - Math.tanh(x[i] / cap) ** 2);
}
