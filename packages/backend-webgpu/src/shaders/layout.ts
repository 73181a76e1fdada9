/**
 * How channels lie in packed weights and spikes. Channels of one segment (a class of spike steps, or of spike steps and
 * weight steps) stand together in units of 32, the last of a segment filled up with zeros. A layout is u32: where each of
 * the G segments begins among the channels [G + 1], and in units [G + 1], then for each place the channel that is there.
 */
import type { Part, Shader } from '../shader.ts';
import { classes } from './gif.ts';

/** Units of a row at most: the stride of rows. */
export const unitsOf = (C: number, G: number): number => Math.floor(C / 32) + G;
export const layoutWords = (C: number, G: number, ternary: boolean): number =>
  2 * (G + 1) + (ternary ? 2 : 1) * C;

/** Reading a layout. Param G. */
export const layout: Part = {
  code: /* wgsl */ `
fn segmentBegin(g: u32) -> u32 { return segments[g]; }
fn segmentUnit(g: u32) -> u32 { return segments[params.G + 1u + g]; }
fn placed(place: u32) -> u32 { return segments[2u * (params.G + 1u) + place]; }
`,
};

export const packOrder: Shader = {
  name: 'pack_order',
  lanes: 64,
  bindings: { steps: 'read array<u32>', weightSteps: 'read array<u32>', segments: 'write array<u32>' },
  params: ['classMask', 'C', 'G', 'W', 'hasSteps', 'weightClasses', 't1', 't2', 't3', 't4', 't5', 't6', 't7'],
  needs: [classes],
  code: /* wgsl */ `
// The layout of channels by segment g = s W + w: class s of their spike steps, class w of their weight steps.
// steps, weightSteps bytes [C], weightClasses the steps that occur as bits, t1, t2, ... how many channels have them.
// One lane of one group a segment; it looks at every channel twice.
// Stable: channels of a segment keep their order. With weight steps a place holds the channel's place in gathered
// codes, and behind all of them stands the place of its first trit in a row. Oracle: gatherOrder, tritChannels.
var<workgroup> counts: array<u32, LANES>;

fn byteOf(word: u32, c: u32) -> u32 { return (word >> (8u * (c % 4u))) & 255u; }
fn weightStepsOf(c: u32) -> u32 { return byteOf(weightSteps[c / 4u], c); }
fn classOf(c: u32) -> u32 {
  if (params.hasSteps == 0u) { return 0u; }
  return classOfSteps(byteOf(steps[c / 4u], c));
}
fn weightClassOf(c: u32) -> u32 {
  if (params.weightClasses == 0u) { return 0u; }
  return countOneBits(params.weightClasses & ((1u << weightStepsOf(c)) - 1u));
}
fn run(group: u32, g: u32) {
  let own = g < params.G;
  let s = g / params.W;
  let w = g % params.W;
  var count = 0u;
  for (var c = 0u; own && c < params.C; c++) {
    if (classOf(c) == s && weightClassOf(c) == w) { count++; }
  }
  counts[g] = count;
  workgroupBarrier();
  if (g > params.G) { return; }
  var begin = 0u;
  var unit = 0u;
  var gathered = 0u;
  for (var before = 0u; before < g; before++) {
    begin += counts[before];
    unit += (counts[before] + 31u) / 32u;
    if (before < s * params.W) { gathered += counts[before]; }
  }
  segments[g] = begin;
  segments[params.G + 1u + g] = unit;
  if (!own) { return; }
  let channels = array<u32, 7>(params.t1, params.t2, params.t3, params.t4, params.t5, params.t6, params.t7);
  var rank = 0u;
  var place = 2u * (params.G + 1u) + begin;
  for (var c = 0u; c < params.C; c++) {
    let sameSteps = classOf(c) == s;
    let sameWeights = weightClassOf(c) == w;
    if (sameSteps && sameWeights) {
      segments[place] = select(c, gathered, params.weightClasses != 0u);
      if (params.weightClasses != 0u) {
        let T = weightStepsOf(c);
        var first = rank;
        for (var t = 1u; t < T; t++) { first += t * channels[t - 1u]; }
        segments[place + params.C] = first;
      }
      place++;
    }
    if (sameSteps) { gathered++; }
    if (sameWeights) { rank++; }
  }
}
`,
};
