import type { Part, Shader } from '../shader.ts';
import { wide } from './exact.ts';
import { cells } from './groups.ts';
import { layout } from './layout.ts';

/** Four products of bytes and their sum. */
const dot: Part = {
  code: /* wgsl */ `
fn dotBytes(a: u32, b: u32) -> u32 {
  return (a & 255u) * (b & 255u) + ((a >> 8u) & 255u) * ((b >> 8u) & 255u)
    + ((a >> 16u) & 255u) * ((b >> 16u) & 255u) + (a >> 24u) * (b >> 24u);
}
`,
  withPackedDot: 'fn dotBytes(a: u32, b: u32) -> u32 { return dot4U8Packed(a, b); }\n',
};

/** From the dot product of unsigned codes and weights of a segment to what it adds to an output. */
const segmentTerm: Part = {
  needs: [wide, layout, dot],
  code: /* wgsl */ `
override FIELD: u32;
override PLANES: u32;
const FIELD_MASK = array<u32, 9>(0, 0, 0x03030303, 0, 0x0f0f0f0f, 0, 0, 0, 0xffffffff);

fn timesSigned(a: i32, b: i32) -> vec2u {
  let product = multiplySigned(a, u32(abs(b)));
  if (b < 0) { return negateWide(product); }
  return product;
}
// I = sum (code - zero) (w - weightZero), in 64 bits; then its two scales.
fn termOf(token: u32, o: u32, g: u32, low: u32, high: u32) -> f32 {
  let S = params.G / params.W;
  let at = token * (2u * S + params.G);
  let row = o * (2u + params.W + params.G);
  let s = g / params.W;
  let zero = bitcast<i32>(header[at + S + s]);
  let weightZero = bitcast<i32>(rows[row]);
  let channels = i32(segmentBegin(g + 1u) - segmentBegin(g));
  let weights = bitcast<i32>(rows[row + 2u + params.W + g]) - channels * weightZero;
  var sum = addWide(vec2u(low, 0u), vec2u(high << 8u, high >> 24u));
  sum = addWide(sum, multiplySigned(-weightZero, header[at + 2u * S + g]));
  sum = addWide(sum, timesSigned(-zero, weights));
  return floatOfWide(sum) * bitcast<f32>(header[at + s]) * bitcast<f32>(rows[row + 2u + g % params.W]);
}
fn finish(token: u32, o: u32, total: f32) {
  var value = total + bitcast<f32>(rows[o * (2u + params.W + params.G) + 1u]);
  let i = token * params.O + o;
  if (params.hasAdd == 1u) { value = addend[i] + value; }
  y[i] = value;
}
`,
};

const bindings = {
  segments: 'read array<u32>',
  header: 'read array<u32>',
  rows: 'read array<u32>',
  addend: 'read array<f32>',
  y: 'write array<f32>',
} as const;

export const linearCodesToken: Shader = {
  name: 'linear_codes_token_f32',
  lanes: 32,
  bindings: { spikes: 'read array<vec4u>', weights: 'read array<vec2u>', ...bindings },
  params: ['O', 'U', 'G', 'W', 'hasAdd'],
  needs: [segmentTerm, cells],
  code: /* wgsl */ `
// y[n,o] = sum_w weightScale[o,w] sum_s scale[n,s] I[n,s,w,o] + bias[o] + addend[n,o], for a few tokens.
// spikes [N, PLANES, U, 32] bytes, weights [O, U, 32] fields of FIELD bits, header [N, 2 S + G], rows [O, 2 + W + G].
// One group a token and ROWS outputs; a lane takes every LANES-th unit of 32 channels.
// I is exact; then float32 products and sums. Segments for which there are cells are taken together.
// Oracle: runLinear and addCodes of the reference backend.
const ROWS = 4u;
override CELLS: u32;
fn cellOf(g: u32, row: u32) -> u32 { return (g * ROWS + row) * 2u; }
fn run(group: u32, lane: u32) {
  let blocks = (params.O + ROWS - 1u) / ROWS;
  let token = group / blocks;
  let first = group % blocks * ROWS;
  let mask = FIELD_MASK[FIELD];
  let perWord = 8u / FIELD;
  let o = first + lane;
  let writes = lane < ROWS && o < params.O;
  var total = 0.0;
  for (var base = 0u; base < params.G; base += CELLS / (2u * ROWS)) {
    let limit = min(params.G, base + CELLS / (2u * ROWS));
    for (var g = base; g < limit; g++) {
      var low = array<u32, ROWS>();
      var high = array<u32, ROWS>();
      let end = segmentUnit(g + 1u);
      for (var unit = segmentUnit(g) + lane; unit < end; unit += LANES) {
        let at = (token * PLANES * params.U + unit) * 2u;
        let codes = array<vec4u, 2>(spikes[at], spikes[at + 1u]);
        var highCodes: array<vec4u, 2>;
        if (PLANES == 2u) {
          highCodes = array<vec4u, 2>(spikes[at + 2u * params.U], spikes[at + 2u * params.U + 1u]);
        }
        for (var row = 0u; row < ROWS; row++) {
          let start = (min(first + row, params.O - 1u) * params.U + unit) * (FIELD / 2u);
          for (var pair = 0u; pair < FIELD / 2u; pair++) {
            let packed = weights[start + pair];
            for (var i = 0u; i < 2u * perWord; i++) {
              let bytes = (packed[i / perWord] >> (FIELD % 8u * (i % perWord))) & mask;
              let word = pair * 2u * perWord + i;
              low[row] += dotBytes(codes[word / 4u][word % 4u], bytes);
              if (PLANES == 2u) { high[row] += dotBytes(highCodes[word / 4u][word % 4u], bytes); }
            }
          }
        }
      }
      for (var row = 0u; row < ROWS; row++) {
        addToCell(cellOf(g - base, row), low[row]);
        if (PLANES == 2u) { addToCell(cellOf(g - base, row) + 1u, high[row]); }
      }
    }
    workgroupBarrier();
    for (var g = base; writes && g < limit; g++) {
      let cell = cellOf(g - base, lane);
      total += termOf(token, o, g, atomicExchange(&cells[cell], 0u), atomicExchange(&cells[cell + 1u], 0u));
    }
    workgroupBarrier();
  }
  if (writes) { finish(token, o, total); }
}
`,
};

export const linearCodesTokens: Shader = {
  name: 'linear_codes_tokens_f32',
  lanes: 256,
  bindings: { spikes: 'read array<u32>', weights: 'read array<u32>', ...bindings },
  params: ['N', 'O', 'U', 'G', 'W', 'hasAdd'],
  needs: [segmentTerm],
  code: /* wgsl */ `
// y[n,o] = sum_w weightScale[o,w] sum_s scale[n,s] I[n,s,w,o] + bias[o] + addend[n,o], for many tokens.
// spikes [N, PLANES, U, 32] bytes, weights [O, U, 32] fields of FIELD bits, header [N, 2 S + G], rows [O, 2 + W + G].
// One group 32 tokens by 64 outputs, a lane 2 by 4 of them; two units of 32 channels at a time in workgroup memory.
// I is exact; then float32 products and sums.
// Oracle: runLinear and addCodes of the reference backend.
const TOKENS = 32u;
const OUTPUTS = 64u;
const WORDS = 16u;
const STRIDE = WORDS + 1u;
var<workgroup> codeTile: array<u32, PLANES * TOKENS * STRIDE>;
var<workgroup> weightTile: array<u32, OUTPUTS * STRIDE>;

fn run(group: u32, lane: u32) {
  let across = (params.O + OUTPUTS - 1u) / OUTPUTS;
  let firstToken = group / across * TOKENS;
  let firstOutput = group % across * OUTPUTS;
  let token = lane / 16u * 2u;
  let output = lane % 16u;
  let mask = FIELD_MASK[FIELD];
  let perWord = 8u / FIELD;
  var totals: array<f32, 8>;
  for (var g = 0u; g < params.G; g++) {
    var low = array<u32, 8>();
    var high = array<u32, 8>();
    let end = segmentUnit(g + 1u) * 8u;
    for (var start = segmentUnit(g) * 8u; start < end; start += WORDS) {
      workgroupBarrier();
      for (var i = lane; i < TOKENS * WORDS; i += LANES) {
        let n = min(firstToken + i / WORDS, params.N - 1u);
        let word = start + i % WORDS;
        for (var plane = 0u; plane < PLANES; plane++) {
          let at = (plane * TOKENS + i / WORDS) * STRIDE + i % WORDS;
          codeTile[at] = select(0u, spikes[(n * PLANES + plane) * params.U * 8u + word], word < end);
        }
      }
      for (var i = lane; i < OUTPUTS * WORDS; i += LANES) {
        let o = min(firstOutput + i / WORDS, params.O - 1u);
        let word = start + i % WORDS;
        let packed = select(0u, weights[o * params.U * FIELD + word / perWord], word < end);
        weightTile[i / WORDS * STRIDE + i % WORDS] = (packed >> (FIELD % 8u * (word % perWord))) & mask;
      }
      workgroupBarrier();
      for (var word = 0u; word < WORDS; word++) {
        for (var j = 0u; j < 4u; j++) {
          let bytes = weightTile[(output + 16u * j) * STRIDE + word];
          for (var i = 0u; i < 2u; i++) {
            low[i * 4u + j] += dotBytes(codeTile[(token + i) * STRIDE + word], bytes);
            if (PLANES == 2u) {
              high[i * 4u + j] += dotBytes(codeTile[(TOKENS + token + i) * STRIDE + word], bytes);
            }
          }
        }
      }
    }
    for (var i = 0u; i < 8u; i++) {
      let n = min(firstToken + token + i / 4u, params.N - 1u);
      let o = min(firstOutput + output + 16u * (i % 4u), params.O - 1u);
      totals[i] += termOf(n, o, g, low[i], high[i]);
    }
  }
  for (var i = 0u; i < 8u; i++) {
    let n = firstToken + token + i / 4u;
    let o = firstOutput + output + 16u * (i % 4u);
    if (n < params.N && o < params.O) { finish(n, o, totals[i]); }
  }
}
`,
};
