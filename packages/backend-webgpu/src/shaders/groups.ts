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

/** Sum and largest of one float of each invocation, in an order of their own: the same however many groups run. */
export const floats: Part = {
  code: /* wgsl */ `
var<workgroup> shared_floats: array<f32, LANES>;
fn sumOfLanes(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  shared_floats[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_floats[lane] += shared_floats[lane + half]; }
  }
  return workgroupUniformLoad(&shared_floats[0]);
}
fn largestOfLanes(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  shared_floats[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_floats[lane] = max(shared_floats[lane], shared_floats[lane + half]); }
  }
  return workgroupUniformLoad(&shared_floats[0]);
}
`,
};

/** As the sum of `floats`, four sums at once. */
export const vectors: Part = {
  code: /* wgsl */ `
var<workgroup> shared_vectors: array<vec4f, LANES>;
fn sumsOfLanes(value: vec4f, lane: u32) -> vec4f {
  workgroupBarrier();
  shared_vectors[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_vectors[lane] += shared_vectors[lane + half]; }
  }
  return workgroupUniformLoad(&shared_vectors[0]);
}
`,
};
