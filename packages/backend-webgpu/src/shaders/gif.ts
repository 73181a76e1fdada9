/** GIF neurons: the threshold of a group of values and the code of one, the arithmetic that spiking kernels share. */
import type { Part } from '../shader.ts';
import { divide } from './exact.ts';

/** The parameters of `gif`; `classes` takes the first of them. */
export const GIF_PARAMS = ['classMask', 'spikeBits', 'lossless'] as const;

/** Classes are different powers of two, so their sum holds them as bits. */
export const classMask = ({ classes: steps }: { readonly classes: readonly number[] }): number =>
  steps.reduce((mask, T) => mask | T, 0);
export const gifParams = (format: {
  readonly bits: number;
  readonly range: string;
  readonly classes: readonly number[];
}): number[] => [classMask(format), format.bits, format.range === 'lossless' ? 1 : 0];

export const classes: Part = {
  code: /* wgsl */ `
fn classCount() -> u32 { return countOneBits(params.classMask); }
// Steps of class s, the s-th bit that is set.
fn stepsOfClass(s: u32) -> u32 {
  var left = params.classMask;
  for (var i = 0u; i < s; i++) { left &= left - 1u; }
  return left & (~left + 1u);
}
// Steps that are no class cannot come from a checked host tensor; they count as class 0.
fn classOfSteps(steps: u32) -> u32 {
  return select(0u, countOneBits(params.classMask & (steps - 1u)), (params.classMask & steps) != 0u);
}
`,
};

export const gif: Part = {
  needs: [divide, classes],
  code: /* wgsl */ `
struct Neuron { scale: u32, zero: i32 }

fn largestCode(steps: u32) -> u32 {
  return select((steps << params.spikeBits) - 1u, steps * ((1u << params.spikeBits) - 1u), params.lossless == 1u);
}
fn isWide() -> bool { return largestCode(stepsOfClass(classCount() - 1u)) > 255u; }

// Bits of a float32 as a whole number of the same order, -0 as 0.
fn orderOf(bits: u32) -> u32 {
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
fn bitsOfOrder(order: u32) -> u32 { return select(~order, order & 0x7fffffffu, (order >> 31u) == 1u); }

// The scale, as bits, and zero point of a class for a group between low and high, given as bits.
fn neuronOf(low: u32, high: u32, steps: u32) -> Neuron {
  let stepBits = bitcast<u32>(f32(steps));
  if (low == high && params.lossless == 1u) {
    let size = select(high & 0x7fffffffu, 0x3f800000u, high == 0u);
    return Neuron(divide(size, stepBits), select(0, i32(steps), (high >> 31u) == 1u));
  }
  let spread = bitcast<u32>(bitcast<f32>(high) - bitcast<f32>(low));
  let span = bitcast<u32>(f32(largestCode(select(steps, 1u, params.lossless == 1u))));
  // Positive numbers are in the order of their bits: these are 1e-5 and 1e4.
  let unit = clamp(divide(spread, span), 0x3727c5acu, 0x461c4000u);
  let scale = select(unit, divide(unit, stepBits), params.lossless == 1u);
  let zero = round(clamp(bitcast<f32>(divide(low ^ 0x80000000u, scale)), -10000.0, 10000.0));
  return Neuron(scale, i32(zero));
}

// The code of x; halves go to the even number.
fn codeOf(x: u32, neuron: Neuron, steps: u32) -> u32 {
  let rounded = round(clamp(bitcast<f32>(divide(x, neuron.scale)), -1e6, 1e6));
  return u32(clamp(i32(rounded) + neuron.zero, 0, i32(largestCode(steps))));
}
fn decode(code: u32, neuron: Neuron) -> f32 { return f32(i32(code) - neuron.zero) * bitcast<f32>(neuron.scale); }
`,
};
