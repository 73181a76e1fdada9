/** Writing to KV caches: rows of floats, and their codes. */
import type { Part, Shader } from '../shader.ts';
import { classes, gif, GIF_PARAMS } from './gif.ts';
import { cells } from './groups.ts';

/** Codes in bytes or halves of words, written one at a time: neighbours in a word may be another invocation's. */
const storeCode: Part = {
  needs: [gif],
  code: /* wgsl */ `
fn storeCode(i: u32, code: u32) {
  let bits = select(8u, 16u, isWide());
  let perWord = 32u / bits;
  let shift = i % perWord * bits;
  atomicAnd(&codes[i / perWord], ~(((1u << bits) - 1u) << shift));
  atomicOr(&codes[i / perWord], code << shift);
}
`,
};

/** The range of a group of values, in cells 0 and 1: `see` them, then `seenOfLanes`. */
const headRange: Part = {
  needs: [gif, cells],
  code: /* wgsl */ `
struct Seen { low: u32, high: u32 }
fn see(seen: Seen, bits: u32) -> Seen {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return seen; }
  return Seen(max(seen.low, ~orderOf(bits)), max(seen.high, orderOf(bits)));
}
fn neuronOfSeen(seen: Seen, steps: u32) -> Neuron {
  return neuronOf(bitsOfOrder(~seen.low), bitsOfOrder(seen.high), steps);
}
fn seenOfLanes(seen: Seen) -> Seen {
  raiseCell(0u, seen.low);
  raiseCell(1u, seen.high);
  workgroupBarrier();
  return Seen(atomicLoad(&cells[0]), atomicLoad(&cells[1]));
}
`,
};

export const appendRows: Shader = {
  name: 'append_rows',
  lanes: 64,
  bindings: { rows: 'read array<u32>', cache: 'write array<u32>' },
  params: ['count', 'skipped', 'at', 'size'],
  code: /* wgsl */ `
// cache[(at + i) mod size] = rows[skipped + i].
// rows and cache of floats as bits, in rows of one width; count, at and size in floats.
// One invocation a float.
// Exact.
// Oracle: attend of the reference backend.
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { cache[(params.at + i) % params.size] = rows[params.skipped + i]; }
}
`,
};

export const appendCodes: Shader = {
  name: 'append_codes',
  lanes: 64,
  bindings: {
    rows: 'read array<u32>',
    classes: 'read array<u32>',
    codes: 'write array<atomic<u32>>',
    scale: 'write array<u32>',
    zero: 'write array<i32>',
  },
  params: ['K', 'D', 'S', 'position', 'firstClass', ...GIF_PARAMS],
  needs: [storeCode, headRange],
  code: /* wgsl */ `
// Encodes rows per token and head with the steps of their channels, into the cache from position on.
// rows [N, K, D], classes [.., K, D] from firstClass on, codes [P, K, D], scale, zero [P, K, S].
// One group a token and head.
// As gif_encode_f32.
// Oracle: encodeToken of the reference backend.
const CELLS = 2u;
fn run(group: u32, lane: u32) {
  let at = group * params.D;
  var seen = Seen();
  for (var d = lane; d < params.D; d += LANES) { seen = see(seen, rows[at + d]); }
  seen = seenOfLanes(seen);
  let cached = params.position * params.K + group;
  if (lane < params.S) {
    let neuron = neuronOfSeen(seen, stepsOfClass(lane));
    scale[cached * params.S + lane] = neuron.scale;
    zero[cached * params.S + lane] = neuron.zero;
  }
  let head = group % params.K * params.D;
  for (var d = lane; d < params.D; d += LANES) {
    let steps = stepsOfClass(classes[params.firstClass + head + d]);
    storeCode(cached * params.D + d, codeOf(rows[at + d], neuronOfSeen(seen, steps), steps));
  }
}
`,
};

export const closeBlocks: Shader = {
  name: 'close_blocks',
  lanes: 64,
  bindings: {
    k: 'read array<u32>',
    openKeys: 'read array<u32>',
    classes: 'read array<u32>',
    codes: 'write array<atomic<u32>>',
    scale: 'write array<u32>',
    zero: 'write array<i32>',
  },
  params: ['count', 'width', 'block', 'firstBlock', 'position', ...GIF_PARAMS],
  needs: [storeCode, headRange],
  code: /* wgsl */ `
// Encodes the keys of blocks that this call fills, per channel over the block.
// k [N, width], openKeys [block, width], classes [width], codes [P, width], scale, zero [blocks, width].
// One invocation a block and channel.
// As gif_encode_f32.
// Oracle: encodeBlock of the reference backend.
const CELLS = 2u;
fn keyAt(token: u32, d: u32) -> u32 {
  if (token >= params.position) { return k[(token - params.position) * params.width + d]; }
  return openKeys[token % params.block * params.width + d];
}
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i >= params.count) { return; }
  let block = params.firstBlock + i / params.width;
  let d = i % params.width;
  var seen = Seen();
  for (var t = 0u; t < params.block; t++) { seen = see(seen, keyAt(block * params.block + t, d)); }
  let steps = stepsOfClass(classes[d]);
  let neuron = neuronOfSeen(seen, steps);
  scale[block * params.width + d] = neuron.scale;
  zero[block * params.width + d] = neuron.zero;
  for (var t = block * params.block; t < (block + 1u) * params.block; t++) {
    storeCode(t * params.width + d, codeOf(keyAt(t, d), neuron, steps));
  }
}
`,
};

export const classesOfSteps: Shader = {
  name: 'classes_of_steps',
  lanes: 64,
  bindings: { keySteps: 'read array<u32>', valueSteps: 'read array<u32>', classes: 'write array<u32>' },
  params: ['count', 'classMask'],
  needs: [classes],
  code: /* wgsl */ `
// The class of each cached channel, a word each: first those of keys, then those of values.
// keySteps, valueSteps bytes [count], classes [2, count].
// One invocation a channel.
// Exact.
// Oracle: the index of the steps among the classes.
fn byteOf(word: u32, c: u32) -> u32 { return (word >> (8u * (c % 4u))) & 255u; }
fn run(group: u32, lane: u32) {
  let c = group * LANES + lane;
  if (c >= params.count) { return; }
  classes[c] = classOfSteps(byteOf(keySteps[c / 4u], c));
  classes[params.count + c] = classOfSteps(byteOf(valueSteps[c / 4u], c));
}
`,
};

const roundTripCode = (steps: string): string => /* wgsl */ `
const CELLS = 2u;
fn run(group: u32, lane: u32) {
  var seen = Seen();
  for (var i = lane; i < params.size; i += LANES) { seen = see(seen, x[placeOf(group, i)]); }
  seen = seenOfLanes(seen);
  for (var i = lane; i < params.size; i += LANES) {
    let steps = ${steps};
    let neuron = neuronOfSeen(seen, steps);
    rounded[writtenAt(group, i)] = decode(codeOf(x[placeOf(group, i)], neuron, steps), neuron);
  }
}
`;

export const roundQueries: Shader = {
  name: 'round_queries',
  lanes: 64,
  bindings: { x: 'read array<u32>', rounded: 'write array<f32>' },
  params: ['size', ...GIF_PARAMS],
  needs: [headRange],
  code: `
// Queries as their spikes decode: one step a channel, a threshold a token and head.
// x, rounded [N, H, size].
// One group a token and head.
// As gif_encode_f32, then one float32 product.
// Oracle: roundTripQueries of the reference backend.
fn placeOf(group: u32, i: u32) -> u32 { return group * params.size + i; }
fn writtenAt(group: u32, i: u32) -> u32 { return group * params.size + i; }
${roundTripCode('1u')}`,
};

/** Params H, K and D besides: the query head whose channels have the steps, and the key/value head that it reads. */
const perQueryHead = {
  lanes: 64,
  bindings: { x: 'read array<u32>', classes: 'read array<u32>', rounded: 'write array<f32>' },
  params: ['size', 'H', 'K', 'D', 'firstClass', ...GIF_PARAMS],
  needs: [headRange],
} as const;

export const roundKeys: Shader = {
  ...perQueryHead,
  name: 'round_published_keys',
  code: `
// Keys as their spikes decode, a threshold per channel of each query head over all tokens of the call.
// x [size, K, D], rounded [size, H, D], classes [H, D].
// One group a query head and channel.
// As gif_encode_f32, then one float32 product.
// Oracle: attendWhole of the reference backend.
fn placeOf(group: u32, i: u32) -> u32 {
  return (i * params.K + group / params.D * params.K / params.H) * params.D + group % params.D;
}
fn writtenAt(group: u32, i: u32) -> u32 { return i * params.H * params.D + group; }
${roundTripCode('stepsOfClass(classes[params.firstClass + group])')}`,
};

export const roundValues: Shader = {
  ...perQueryHead,
  name: 'round_published_values',
  code: `
// Values as their spikes decode, a threshold per token and key/value head, steps per channel of each query head.
// x [N, K, size], rounded [N, H, size], classes [H, size] from firstClass on.
// One group a token and query head.
// As gif_encode_f32, then one float32 product.
// Oracle: attendWhole of the reference backend.
fn placeOf(group: u32, i: u32) -> u32 {
  return (group / params.H * params.K + group % params.H * params.K / params.H) * params.D + i;
}
fn writtenAt(group: u32, i: u32) -> u32 { return group * params.D + i; }
${roundTripCode('stepsOfClass(classes[params.firstClass + group % params.H * params.D + i])')}`,
};
