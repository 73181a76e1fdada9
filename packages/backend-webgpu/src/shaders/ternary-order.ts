/** The layout of ternary weights, whose channels are in classes of spike steps, of weight steps and of groups of columns. */
import type { Shader } from '../shader.ts';
import { classes } from './gif.ts';

/** As of `layout`, then for each place that of its first trit in a row [V], and the steps of each weight class [W]. */
export const ternaryLayoutWords = (V: number, G: number, W: number): number => 2 * (G + 1) + 2 * V + W;
/** Words of the tables that `packTernaryOrder` works with: a cell is a group of columns in one part. */
export const ternaryTableWords = (cells: number, groups: number): number => 42 * cells + 12 * groups;

export const packTernaryOrder: Shader = {
  name: 'pack_ternary_order',
  lanes: 64,
  bindings: {
    steps: 'read array<u32>',
    weightSteps: 'read array<u32>',
    segments: 'write array<u32>',
    tables: 'write array<u32>',
  },
  params: [
    'classMask',
    'hasSteps',
    'V',
    'C',
    'columns',
    'columnGroups',
    'G',
    'W',
    't1',
    't2',
    't3',
    't4',
    't5',
    't6',
    't7',
  ],
  needs: [classes],
  code: /* wgsl */ `
// The layout of the V channels of all parts by segment g = s W + w: class s of spike steps, weight class w.
// steps bytes [C], weightSteps bytes [V], t1, t2, ... how many channels have 1, 2, ... weight steps; segments a layout whose
// places hold the channel's place in gathered codes, then the place of its first trit in a row, then steps of classes.
// One group; a lane counts, then places the channels of every LANES-th cell, a group of columns in one part.
// Stable: channels of a segment keep their order. Oracle: gatherOrder, tritChannels, classOfWeights.
const NONE = 0xffffffffu;
fn byteOf(word: u32, c: u32) -> u32 { return (word >> (8u * (c % 4u))) & 255u; }
fn weightStepsOf(v: u32) -> u32 { return clamp(byteOf(weightSteps[v / 4u], v), 1u, 7u); }
fn classOf(c: u32) -> u32 {
  if (params.hasSteps == 0u) { return 0u; }
  return classOfSteps(byteOf(steps[c / 4u], c));
}
// Channels of a cell in a segment, later the next place there; next trits by steps; next codes by class; weight classes.
fn placeAt(cell: u32, s: u32, T: u32) -> u32 { return cell * 35u + s * 7u + T - 1u; }
fn tritAt(cell: u32, T: u32) -> u32 { return cellCount() * 35u + cell * 7u + T - 1u; }
fn codeAt(group: u32, s: u32) -> u32 { return cellCount() * 42u + group * 5u + s; }
fn pairAt(group: u32, T: u32) -> u32 { return cellCount() * 42u + params.columnGroups * 5u + group * 7u + T - 1u; }
fn cellCount() -> u32 { return params.V / params.C * params.columnGroups; }
fn firstOf(cell: u32) -> u32 { return cell / params.columnGroups * params.C + cell % params.columnGroups * params.columns; }
fn endOf(cell: u32) -> u32 {
  return min(firstOf(cell) + params.columns, (cell / params.columnGroups + 1u) * params.C);
}

// From counts to first places, by one lane.
fn arrange() {
  let S = params.G / params.W;
  let parts = params.V / params.C;
  let channels = array<u32, 7>(params.t1, params.t2, params.t3, params.t4, params.t5, params.t6, params.t7);
  var trit = 0u;
  var w = 0u;
  for (var T = 1u; T <= 7u; T++) {
    var next = trit;
    for (var cell = 0u; cell < cellCount(); cell++) {
      tables[tritAt(cell, T)] = next;
      for (var s = 0u; s < S; s++) { next += tables[placeAt(cell, s, T)]; }
    }
    trit += T * channels[T - 1u];
    for (var group = 0u; group < params.columnGroups; group++) {
      var count = 0u;
      for (var cell = group; cell < cellCount(); cell += params.columnGroups) {
        for (var s = 0u; s < S; s++) { count += tables[placeAt(cell, s, T)]; }
      }
      tables[pairAt(group, T)] = select(w, NONE, count == 0u);
      if (count > 0u) {
        segments[2u * (params.G + 1u) + 2u * params.V + w] = T;
        w++;
      }
    }
  }
  var code = 0u;
  var begin = 0u;
  var unit = 0u;
  var g = 0u;
  for (var s = 0u; s < S; s++) {
    for (var group = 0u; group < params.columnGroups; group++) {
      tables[codeAt(group, s)] = code;
      for (var T = 1u; T <= 7u; T++) { code += tables[placeAt(group, s, T)]; }
    }
    for (var T = 1u; T <= 7u; T++) {
      for (var group = 0u; group < params.columnGroups; group++) {
        if (tables[pairAt(group, T)] == NONE) { continue; }
        segments[g] = begin;
        segments[params.G + 1u + g] = unit;
        g++;
        let start = begin;
        for (var part = 0u; part < parts; part++) {
          let at = placeAt(part * params.columnGroups + group, s, T);
          let count = tables[at];
          tables[at] = begin;
          begin += count;
        }
        unit += (begin - start + 31u) / 32u;
      }
    }
  }
  segments[params.G] = begin;
  segments[2u * params.G + 1u] = unit;
}

fn run(group: u32, lane: u32) {
  for (var cell = lane; cell < cellCount(); cell += LANES) {
    for (var i = 0u; i < 35u; i++) { tables[cell * 35u + i] = 0u; }
    for (var v = firstOf(cell); v < endOf(cell); v++) {
      tables[placeAt(cell, classOf(v % params.C), weightStepsOf(v))] += 1u;
    }
  }
  storageBarrier();
  if (lane == 0u) { arrange(); }
  storageBarrier();
  for (var cell = lane; cell < cellCount(); cell += LANES) {
    var codes: array<u32, 5>;
    for (var s = 0u; s < 5u; s++) { codes[s] = tables[codeAt(cell % params.columnGroups, s)]; }
    for (var v = firstOf(cell); v < endOf(cell); v++) {
      let s = classOf(v % params.C);
      let T = weightStepsOf(v);
      let place = 2u * (params.G + 1u) + tables[placeAt(cell, s, T)];
      tables[placeAt(cell, s, T)] += 1u;
      segments[place] = codes[s];
      codes[s] += 1u;
      segments[place + params.V] = tables[tritAt(cell, T)];
      tables[tritAt(cell, T)] += 1u;
    }
  }
}
`,
};
