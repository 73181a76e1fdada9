/** What the invocations of one group work out together. */
import type { Part } from '../shader.ts';

/** Sums, smallest and largest of whole numbers, in cells that begin as 0. */
export const cells: Part = {
  code: /* wgsl */ `
var<workgroup> cells: array<atomic<u32>, CELLS>;
fn addToCell(cell: u32, value: u32) { atomicAdd(&cells[cell], value); }
fn raiseCell(cell: u32, value: u32) { atomicMax(&cells[cell], value); }
`,
  withSubgroups: /* wgsl */ `
var<workgroup> cells: array<atomic<u32>, CELLS>;
fn addToCell(cell: u32, value: u32) {
  let sum = subgroupAdd(value);
  if (subgroupElect()) { atomicAdd(&cells[cell], sum); }
}
fn raiseCell(cell: u32, value: u32) {
  let largest = subgroupMax(value);
  if (subgroupElect()) { atomicMax(&cells[cell], largest); }
}
`,
};

/** How `value` of all lanes becomes one: by halves, with a barrier each. */
const byHalves = (
  name: string,
  type: string,
  combine: (a: string, b: string) => string,
): string => /* wgsl */ `
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  workgroupBarrier();
  shared_lanes[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_lanes[lane] = ${combine('shared_lanes[lane]', 'shared_lanes[lane + half]')}; }
  }
  return workgroupUniformLoad(&shared_lanes[0]);
}
`;

/** As `byHalves`, first within subgroups; then each of them combines what all have left, one place a subgroup. */
const bySubgroups = (
  name: string,
  type: string,
  combine: string,
  none: string,
  both: string,
): string => /* wgsl */ `
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  let own = ${combine}(value);
  workgroupBarrier();
  shared_lanes[lane] = select(${type}(${none}), own, subgroupElect());
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var part = ${type}(${none});
  for (var i = subgroupExclusiveAdd(1u); i < LANES; i += size) { part = ${both}; }
  return ${combine}(part);
}
`;
const ADDED = 'part + shared_lanes[i]';
const LARGER = 'max(part, shared_lanes[i])';

/**
 * Sum and largest of one float of each lane, for all lanes; groups have one order of adding, so that results do not depend
 * on how many of them run.
 */
export const floats: Part = {
  code: `
var<workgroup> shared_lanes: array<f32, LANES>;
${byHalves('sumOfLanes', 'f32', (a, b) => `${a} + ${b}`)}
${byHalves('largestOfLanes', 'f32', (a, b) => `max(${a}, ${b})`)}`,
  withSubgroups: `
var<workgroup> shared_lanes: array<f32, LANES>;
${bySubgroups('sumOfLanes', 'f32', 'subgroupAdd', '0', ADDED)}
${bySubgroups('largestOfLanes', 'f32', 'subgroupMax', '-3.4e38', LARGER)}`,
};

/** As the sum of `floats`, four sums at once. */
export const vectors: Part = {
  code: `
var<workgroup> shared_lanes: array<vec4f, LANES>;
${byHalves('sumsOfLanes', 'vec4f', (a, b) => `${a} + ${b}`)}`,
  withSubgroups: `
var<workgroup> shared_lanes: array<vec4f, LANES>;
${bySubgroups('sumsOfLanes', 'vec4f', 'subgroupAdd', '0', ADDED)}`,
};
