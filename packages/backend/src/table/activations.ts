import { input, kernel, output } from '../kernel.ts';
import { F32_ELEMENT } from '../tolerance.ts';
import { activation, finite, positive } from './domains.ts';

const matrix = ['N', 'C'] as const;
/** Slopes pass through zero, and the tail of a GELU is cut from numbers that are not small. */
const CURVE = { ...F32_ELEMENT, ofLargest: 4e-7 };

/** What stands between linear layers, one element at a time, and its gradients. */
export const activationKernels = {
  activation_f32: kernel({
    formula: `a(x): relu: max(x, 0); silu: x s(x), s(z) = 1 / (1 + exp(-z)); gelu_tanh: x s(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3);
gelu: x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2`,
    source: 'ReLU; SiLU, arXiv 1702.03118; GELU and its tanh form, arXiv 1606.08415',
    operands: { x: input('float32', matrix), y: output('float32', matrix) },
    attributes: { of: activation },
    scalars: [],
    tolerance: CURVE,
  }),
  activation_backward_f32: kernel({
    formula: `dx = dy a'(x): relu: 1 where x > 0, else 0; silu: s (1 + x (1 - s)); gelu_tanh: s (1 + 2 x u' (1 - s)), s = s(2 u), u' = sqrt(2 / pi) (1 + 0.134145 x^2);
gelu: Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)`,
    source: 'gradient of activation_f32',
    operands: { x: input('float32', matrix), dy: input('float32', matrix), dx: output('float32', matrix) },
    attributes: { of: activation },
    scalars: [],
    tolerance: CURVE,
  }),
  gated_f32: kernel({
    formula: 'y = a(gate) up, a as in activation_f32',
    source: 'SwiGLU (silu) and GEGLU (gelu), arXiv 2002.05202',
    operands: {
      gate: input('float32', matrix),
      up: input('float32', matrix),
      y: output('float32', matrix),
    },
    attributes: { of: activation },
    scalars: [],
    tolerance: CURVE,
  }),
  gated_backward_f32: kernel({
    formula: `dup = dy a(gate); dgate = dy up a'(gate), a' as in activation_backward_f32`,
    source: 'gradient of gated_f32',
    operands: {
      gate: input('float32', matrix),
      up: input('float32', matrix),
      dy: input('float32', matrix),
      dgate: output('float32', matrix),
      dup: output('float32', matrix),
    },
    attributes: { of: activation },
    scalars: [],
    tolerance: CURVE,
  }),
  scale_f32: kernel({
    formula: 'y = x factor, the factor rounded to float32; its gradient is dx = dy factor',
    source: 'scaled embeddings and residual streams',
    operands: { x: input('float32', matrix), y: output('float32', matrix) },
    attributes: { factor: finite },
    scalars: [],
    tolerance: F32_ELEMENT,
  }),
  softcap_f32: kernel({
    formula: 'y = cap tanh(x / cap)',
    source: 'soft-capping of logits, arXiv 2408.00118',
    operands: { x: input('float32', matrix), y: output('float32', matrix) },
    attributes: { cap: positive },
    scalars: [],
    tolerance: F32_ELEMENT,
  }),
  softcap_backward_f32: kernel({
    formula: 'dx = dy (1 - tanh(x / cap)^2)',
    source: 'gradient of softcap_f32',
    operands: { x: input('float32', matrix), dy: input('float32', matrix), dx: output('float32', matrix) },
    attributes: { cap: positive },
    scalars: [],
    // The reference subtracts tanh^2 from 1.
    tolerance: CURVE,
  }),
} as const;
