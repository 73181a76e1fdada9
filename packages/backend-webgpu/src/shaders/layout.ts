/**
 * How channels lie in packed weights and spikes. Channels of one segment (a class of spike steps, or of spikes and of
 * weights) stand together in units of 32, the last of a segment filled up with zeros. A layout is u32: where each of
 * the G segments begins among the channels [G + 1], and in units [G + 1], then for each place the channel that is there.
 */
import type { Part, Shader } from '../shader.ts';
import { classes } from './gif.ts';

/** Units of a row at most: the stride of rows. */
export const unitsOf = (C: number, G: number): number => Math.floor(C / 32) + G;
export const layoutWords = (C: number, G: number): number => 2 * (G + 1) + C;

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
  bindings: { steps: 'read array<u32>', segments: 'write array<u32>' },
  params: ['classMask', 'C', 'G', 'hasSteps'],
  needs: [classes],
  code: /* wgsl */ `
// The layout of channels by segment, the class of their spike steps.
// steps bytes [C].
// One lane of one group a segment; it looks at every channel twice.
// Stable: channels of a segment keep their order. Oracle: gatherOrder.
var<workgroup> counts: array<u32, LANES>;

fn classOf(c: u32) -> u32 {
  if (params.hasSteps == 0u) { return 0u; }
  return classOfSteps((steps[c / 4u] >> (8u * (c % 4u))) & 255u);
}
fn run(group: u32, g: u32) {
  let own = g < params.G;
  var count = 0u;
  for (var c = 0u; own && c < params.C; c++) {
    if (classOf(c) == g) { count++; }
  }
  counts[g] = count;
  workgroupBarrier();
  if (g > params.G) { return; }
  var begin = 0u;
  var unit = 0u;
  for (var before = 0u; before < g; before++) {
    begin += counts[before];
    unit += (counts[before] + 31u) / 32u;
  }
  segments[g] = begin;
  segments[params.G + 1u + g] = unit;
  if (!own) { return; }
  var place = 2u * (params.G + 1u) + begin;
  for (var c = 0u; c < params.C; c++) {
    if (classOf(c) == g) {
      segments[place] = c;
      place++;
    }
  }
}
`,
};
