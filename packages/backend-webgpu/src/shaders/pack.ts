import type { Part, Shader } from '../shader.ts';
import { layout } from './layout.ts';

/** Codes of weights as they are stored: bit fields, low bits first, a row ends on a byte. Params C and weightBits. */
export const storedWeights: Part = {
  code: /* wgsl */ `
fn rowBytes() -> u32 { return (params.C * params.weightBits + 7u) / 8u; }
fn storedCode(o: u32, c: u32) -> u32 {
  let bit = c * params.weightBits;
  let byte = o * rowBytes() + bit / 8u;
  let shift = 8u * (byte % 4u) + bit % 8u;
  var value = weight[byte / 4u] >> shift;
  if (shift + params.weightBits > 32u) { value |= weight[byte / 4u + 1u] << (32u - shift); }
  return value & ((1u << params.weightBits) - 1u);
}
`,
};

/** Weights of spikes: the sum of their trits, T to the good. Param E: bytes of a row; the layout has trits and steps. */
const trits: Part = {
  needs: [layout],
  code: /* wgsl */ `
fn weightStepsOfSegment(g: u32) -> u32 { return placed(2u * params.V + g % params.W); }
fn tritSum(o: u32, place: u32, g: u32) -> u32 {
  let T = weightStepsOfSegment(g);
  let channels = array<u32, 7>(params.t1, params.t2, params.t3, params.t4, params.t5, params.t6, params.t7);
  var trit = placed(params.V + place);
  var sum = params.offset - T;
  for (var t = 0u; t < T; t++) {
    let byte = o * params.E + trit / 4u;
    sum += (weight[byte / 4u] >> (8u * (byte % 4u) + 2u * (trit % 4u))) & 3u;
    trit += channels[T - 1u];
  }
  return sum;
}
`,
};

const weightsCode = /* wgsl */ `
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let unit = i / params.field % params.U;
  let o = i / (params.field * params.U);
  var g = 0u;
  while (g < params.G && unit >= segmentUnit(g + 1u)) { g++; }
  var value = 0u;
  if (g < params.G) {
    let perWord = 8u / params.field;
    for (var j = 0u; j < 4u * perWord; j++) {
      let word = i % params.field * perWord + j / 4u;
      let place = segmentBegin(g) + (unit - segmentUnit(g)) * 32u + word * 4u + j % 4u;
      if (place < segmentBegin(g + 1u)) {
        value |= weightAt(o, place, g) << (8u * (j % 4u) + params.field % 8u * (j / 4u));
      }
    }
  }
  packed[i] = value;
}
`;
const rowsCode = /* wgsl */ `
fn run(group: u32, lane: u32) {
  let o = group * LANES + lane;
  if (o >= params.O) { return; }
  let row = o * (2u + params.W + params.G);
  packed[row] = weightZeroOf(o);
  packed[row + 1u] = select(0u, bias[o], params.hasBias == 1u);
  for (var w = 0u; w < params.W; w++) { packed[row + 2u + w] = weightScale[o * params.W + w]; }
  for (var g = 0u; g < params.G; g++) {
    var sum = 0u;
    for (var place = segmentBegin(g); place < segmentBegin(g + 1u); place++) { sum += weightAt(o, place, g); }
    packed[row + 2u + params.W + g] = sum;
  }
}
`;
const weightsBindings = {
  weight: 'read array<u32>',
  segments: 'read array<u32>',
  packed: 'write array<u32>',
} as const;
const rowsBindings = { weightScale: 'read array<u32>', bias: 'read array<u32>', ...weightsBindings } as const;

const ofCodes = 'fn weightAt(o: u32, place: u32, g: u32) -> u32 { return storedCode(o, placed(place)); }';
const ofTrits = 'fn weightAt(o: u32, place: u32, g: u32) -> u32 { return tritSum(o, place, g); }';
const tritParams = ['V', 'W', 'E', 'offset', 't1', 't2', 't3', 't4', 't5', 't6', 't7'];

export const packWeights: Shader = {
  name: 'pack_weights',
  lanes: 64,
  bindings: weightsBindings,
  params: ['count', 'U', 'G', 'field', 'C', 'weightBits'],
  needs: [layout, storedWeights],
  code: `
// Weights in fields of 2, 4 or 8 bits: word k of a unit holds, a field each, the words of 4 bytes k 8/field + j.
// weight bit fields [O, C], segments a layout, packed [O, U, field] words.
// One invocation a word.
// Exact.
// Oracle: packLinear of the reference backend.
${ofCodes}
${weightsCode}`,
};
export const packTernaryWeights: Shader = {
  name: 'pack_ternary_weights',
  lanes: 64,
  bindings: weightsBindings,
  params: ['count', 'U', 'G', 'field', ...tritParams],
  needs: [trits],
  code: `
// As pack_weights, of trits: a field holds offset plus the weight, which is at least -offset.
// weight trits [O, E bytes], segments a layout with trits, packed [O, U, field] words.
// One invocation a word.
// Exact.
// Oracle: packSpikes of the reference backend.
${ofTrits}
${weightsCode}`,
};

export const packRows: Shader = {
  name: 'pack_rows',
  lanes: 64,
  bindings: { ...rowsBindings, weightZero: 'read array<u32>' },
  params: ['O', 'W', 'G', 'hasBias', 'C', 'weightBits'],
  needs: [layout, storedWeights],
  code: `
// What stands once an output: zero point, bias, scales [W], sums of the stored codes of each segment [G].
// weight bit fields [O, C], weightScale [O, W], weightZero, bias [O], packed [O, 2 + W + G].
// One invocation an output.
// Exact.
// Oracle: packLinear of the reference backend.
fn weightZeroOf(o: u32) -> u32 { return weightZero[o]; }
${ofCodes}
${rowsCode}`,
};
export const packTernaryRows: Shader = {
  name: 'pack_ternary_rows',
  lanes: 64,
  bindings: rowsBindings,
  params: ['O', 'G', 'hasBias', ...tritParams],
  needs: [trits],
  code: `
// As pack_rows, of trits; the zero point is the offset of pack_ternary_weights.
// weight trits [O, E bytes], weightScale [O, W], bias [O], packed [O, 2 + W + G].
// One invocation an output.
// Exact.
// Oracle: packSpikes of the reference backend.
fn weightZeroOf(o: u32) -> u32 { return params.offset; }
${ofTrits}
${rowsCode}`,
};
