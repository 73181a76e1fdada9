import type { Shader } from '../shader.ts';
import { norm } from './norm.ts';

export const rmsnorm: Shader = {
  name: 'rmsnorm_f32',
  lanes: 256,
  bindings: { x: 'read array<u32>', weight: 'read array<u32>', y: 'write array<u32>' },
  params: ['C', 'epsLow', 'epsHigh'],
  needs: [norm],
  code: /* wgsl */ `
// y[n,c] = x[n,c] r[n] weight[c], r[n] = 1 / sqrt(mean_c x[n,c]^2 + eps).
// x, y [N, C], weight [C], float32 read as bits; heads that are normed by themselves are rows.
// One group a row.
// r is rounded once, and so is each of the two products.
// Oracle: rmsnorm of the reference backend.
const CELLS = 5u;
fn run(group: u32, lane: u32) {
  let at = group * params.C;
  let r = inverseOfRow(at, lane);
  for (var c = lane; c < params.C; c += LANES) { y[at + c] = normed(x[at + c], weight[c], r); }
}
`,
};
