import type { Part, Shader } from '../shader.ts';
import { gif, GIF_PARAMS } from './gif.ts';
import { cells } from './groups.ts';
import { layout } from './layout.ts';
import { norm } from './norm.ts';

/** The range of a row, in cells 5 and 6, and the class of a place. */
const rowRange: Part = {
  needs: [gif, cells, layout],
  code: /* wgsl */ `
struct Range { low: u32, high: u32 }
// The range of the values that the lanes have seen; what is no number counts for nothing.
struct Seen { low: u32, high: u32 }
fn see(seen: Seen, bits: u32) -> Seen {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return seen; }
  let order = orderOf(bits);
  return Seen(max(seen.low, ~order), max(seen.high, order));
}
fn rangeOf(seen: Seen) -> Range {
  raiseCell(5u, seen.low);
  raiseCell(6u, seen.high);
  workgroupBarrier();
  return Range(bitsOfOrder(~atomicLoad(&cells[5])), bitsOfOrder(atomicLoad(&cells[6])));
}
`,
};

export const gifEncode: Shader = {
  name: 'gif_encode_f32',
  lanes: 256,
  bindings: {
    x: 'read array<u32>',
    segments: 'read array<u32>',
    codes: 'write array<atomic<u32>>',
    scale: 'write array<u32>',
    zero: 'write array<i32>',
  },
  params: ['C', 'G', ...GIF_PARAMS],
  needs: [rowRange],
  code: /* wgsl */ `
// code = clamp(rint(x / S) + zero, 0, maxCode), S and zero by the range of the row and the class of the channel.
// x [N, C] as bits, codes bytes or halves of words [N, C] in gathered order, scale, zero [N, G].
// One group a row; a lane makes the words of codes that begin at it, a word of two rows is written in two parts.
// Division rounded once, rint half to even: see gif.ts.
// Oracle: encode of the reference backend.
const CELLS = 7u;
fn run(group: u32, lane: u32) {
  let at = group * params.C;
  var seen = Seen();
  for (var c = lane; c < params.C; c += LANES) { seen = see(seen, x[at + c]); }
  let range = rangeOf(seen);
  var neurons: array<Neuron, 5>;
  for (var s = 0u; s < params.G; s++) {
    neurons[s] = neuronOf(range.low, range.high, stepsOfClass(s));
    if (lane == s) {
      scale[group * params.G + s] = neurons[s].scale;
      zero[group * params.G + s] = neurons[s].zero;
    }
  }
  let bits = select(8u, 16u, isWide());
  let perWord = 32u / bits;
  let last = (at + params.C - 1u) / perWord;
  for (var word = at / perWord + lane; word <= last; word += LANES) {
    var value = 0u;
    var mask = 0u;
    for (var i = 0u; i < perWord; i++) {
      let place = word * perWord + i - at;
      if (place >= params.C) { continue; }
      var s = 0u;
      while (place >= segmentBegin(s + 1u)) { s++; }
      value |= codeOf(x[at + placed(place)], neurons[s], stepsOfClass(s)) << (i * bits);
      mask |= ((1u << bits) - 1u) << (i * bits);
    }
    if (mask == 0xffffffffu) {
      atomicStore(&codes[word], value);
    } else {
      atomicAnd(&codes[word], ~mask);
      atomicOr(&codes[word], value);
    }
  }
}
`,
};

/** Codes as products read them: planes of bytes [N, PLANES, units, 32], and what stands once a token. */
const spikes: Part = {
  needs: [gif, cells, layout],
  code: /* wgsl */ `
// The codes of one token, whose code at a place is codeAtPlace, and the sums of each segment.
fn writeSpikes(token: u32, lane: u32) {
  for (var first = 0u; first < params.G; first += CELLS - 7u) {
    writeSegments(token, lane, first, min(params.G, first + CELLS - 7u));
  }
}
// Segments whose sums find room in cells 7, 8, ..., which are 0 again afterwards.
fn writeSegments(token: u32, lane: u32, first: u32, last: u32) {
  let planes = select(1u, 2u, isWide());
  for (var g = first; g < last; g++) {
    let begin = segmentBegin(g);
    let end = segmentBegin(g + 1u);
    let firstWord = segmentUnit(g) * 8u;
    let lastWord = segmentUnit(g + 1u) * 8u;
    var sum = 0u;
    for (var word = firstWord + lane; word < lastWord; word += LANES) {
      var low = 0u;
      var high = 0u;
      for (var i = 0u; i < 4u; i++) {
        let place = begin + (word - firstWord) * 4u + i;
        if (place >= end) { continue; }
        let code = codeAtPlace(token, place, g);
        low |= (code & 255u) << (8u * i);
        high |= (code >> 8u) << (8u * i);
        sum += code;
      }
      spikes[(token * planes * params.U) * 8u + word] = low;
      if (planes == 2u) { spikes[((token * 2u + 1u) * params.U) * 8u + word] = high; }
    }
    addToCell(7u + g - first, sum);
  }
  workgroupBarrier();
  let S = params.G / params.W;
  for (var g = first + lane; g < last; g += LANES) {
    header[token * (2u * S + params.G) + 2u * S + g] = atomicExchange(&cells[7u + g - first], 0u);
  }
  workgroupBarrier();
}
`,
};

const spikeBindings = {
  segments: 'read array<u32>',
  spikes: 'write array<u32>',
  header: 'write array<u32>',
} as const;
const encodeSpikesCode = (value: string, begin: string): string => /* wgsl */ `
const CELLS = 12u;
var<workgroup> neurons: array<Neuron, 5>;
var<private> r: f32;
fn valueOf(token: u32, c: u32) -> u32 { return ${value}; }
fn codeAtPlace(token: u32, place: u32, g: u32) -> u32 {
  return codeOf(valueOf(token, placed(place)), neurons[g], stepsOfClass(g));
}
fn run(token: u32, lane: u32) {
  ${begin}
  var seen = Seen();
  for (var c = lane; c < params.C; c += LANES) { seen = see(seen, valueOf(token, c)); }
  let range = rangeOf(seen);
  if (lane < params.G) {
    let neuron = neuronOf(range.low, range.high, stepsOfClass(lane));
    neurons[lane] = neuron;
    header[token * 3u * params.G + lane] = neuron.scale;
    header[token * 3u * params.G + params.G + lane] = bitcast<u32>(neuron.zero);
  }
  workgroupBarrier();
  writeSpikes(token, lane);
}
`;

export const encodeSpikes: Shader = {
  name: 'encode_spikes',
  lanes: 256,
  bindings: { x: 'read array<u32>', ...spikeBindings },
  params: ['C', 'G', 'W', 'U', ...GIF_PARAMS],
  needs: [rowRange, spikes],
  code: `
// gif_encode_f32 of x, as products read it: spikes and, a token, scales, zero points and sums of codes of its segments.
// x [N, C] as bits, spikes [N, PLANES, U, 32] bytes, header [N, 3 G].
// One group a token.
// As gif_encode_f32.
// Oracle: encode of the reference backend.
${encodeSpikesCode('x[token * params.C + c]', '')}`,
};

export const encodeNormSpikes: Shader = {
  name: 'encode_norm_spikes',
  lanes: 256,
  bindings: { x: 'read array<u32>', weight: 'read array<u32>', ...spikeBindings },
  params: ['C', 'G', 'W', 'U', 'epsLow', 'epsHigh', ...GIF_PARAMS],
  needs: [norm, rowRange, spikes],
  code: `
// gif_encode_f32 of rmsnorm_f32 of x, as products read it.
// x [N, C], weight [C] as bits, spikes [N, PLANES, U, 32] bytes, header [N, 3 G].
// One group a token.
// As rmsnorm_f32, then as gif_encode_f32.
// Oracle: rmsnorm and encode of the reference backend.
${encodeSpikesCode('normed(x[token * params.C + c], weight[c], r)', 'r = inverseOfRow(token * params.C, lane);')}`,
};

export const stageCodes: Shader = {
  name: 'stage_codes',
  lanes: 256,
  bindings: { codes: 'read array<u32>', scale: 'read array<u32>', zero: 'read array<u32>', ...spikeBindings },
  params: ['C', 'G', 'W', 'U', 'isGathered', ...GIF_PARAMS],
  needs: [spikes],
  code: /* wgsl */ `
// Codes as gif_encode_f32 writes them to codes as products read them.
// codes bytes or halves of words [N, C], scale, zero [N, S], spikes [N, PLANES, U, 32] bytes, header [N, 2 S + G].
// One group a token.
// Exact.
// Oracle: the codes themselves, moved.
const CELLS = 42u;
fn codeAtPlace(token: u32, place: u32, g: u32) -> u32 {
  let i = token * params.C + select(placed(place), place, params.isGathered == 1u);
  if (isWide()) { return (codes[i / 2u] >> (16u * (i % 2u))) & 0xffffu; }
  return (codes[i / 4u] >> (8u * (i % 4u))) & 255u;
}
fn run(token: u32, lane: u32) {
  let S = params.G / params.W;
  if (lane < S) {
    header[token * (2u * S + params.G) + lane] = scale[token * S + lane];
    header[token * (2u * S + params.G) + S + lane] = zero[token * S + lane];
  }
  writeSpikes(token, lane);
}
`,
};

export const gifDecode: Shader = {
  name: 'gif_decode_f32',
  lanes: 64,
  bindings: {
    codes: 'read array<u32>',
    scale: 'read array<u32>',
    zero: 'read array<i32>',
    segments: 'read array<u32>',
    y: 'write array<f32>',
  },
  params: ['count', 'C', 'G', ...GIF_PARAMS],
  needs: [gif, layout],
  code: /* wgsl */ `
// y[n,c] = (code - zero[n,s]) scale[n,s], back in channel order.
// codes bytes or halves of words [N, C] in gathered order, scale, zero [N, G], y [N, C].
// One invocation a code.
// One float32 product.
// Oracle: decode of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let token = i / params.C;
  let place = i % params.C;
  var s = 0u;
  while (place >= segmentBegin(s + 1u)) { s++; }
  var code = (codes[i / 4u] >> (8u * (i % 4u))) & 255u;
  if (isWide()) { code = (codes[i / 2u] >> (16u * (i % 2u))) & 0xffffu; }
  let at = token * params.G + s;
  y[token * params.C + placed(place)] = decode(code, Neuron(scale[at], zero[at]));
}
`,
};
