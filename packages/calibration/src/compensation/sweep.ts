/**
 * The loop of GPTQ (arXiv 2210.17323): columns are quantised one after the other, and each takes over what the errors of
 * those before it cost. Written with R, H = R R^T: the value that stands for column d is
 *
 *   w_d + sum over i < d of (w_i - q_i) R_id / R_dd,
 *
 * w the given weights and q their quantised ones. That is the published loop with U = R^-1, without its inverse.
 */
import { createRunner, type Backend, type Runner } from '@spikellm/backend';
import { createArena, hostTensor, type HostArena } from '@spikellm/graph';
import type { FactoredHessian } from './factor.ts';

/** Quantises columns in the order of a sweep. Columns are [O]. */
export interface ColumnQuantiser {
  /** Columns that are seen together by `begin`: a sweep hands over whole blocks. */
  readonly block: number;
  /** Before the columns [from, to) of one block: their values [to - from, O], less the errors of earlier blocks. */
  begin?(from: number, to: number, values: Float32Array): void;
  /** Quantises the n-th column of the sweep into `quantised`; the next column overwrites `values`. */
  column(n: number, values: Float32Array, quantised: Float32Array): void;
}

export interface Sweep {
  /** The quantised weights [O, C], input channels in their own order. */
  readonly weights: Float32Array;
  /** Sum of (w - q) H (w - q)^T over outputs, damping included. */
  readonly error: number;
}

/** Columns that are taken one by one; beyond them errors travel by matrix products. */
const LEAF = 64;

/**
 * Quantises a weight [O, C] column by column. Halves of the columns are swept one after the other, recursively; between
 * them one product of the backend carries the errors of the first to the second.
 *
 * @param weights - float32 [O, C]; dead channels become 0
 */
export async function sweepColumns(
  backend: Backend,
  weights: Float32Array,
  hessian: FactoredHessian,
  quantiser: ColumnQuantiser,
): Promise<Sweep> {
  const C = hessian.order.length;
  using runner = createRunner(backend);
  const state = openSweep(weights, hessian);
  const leaf = quantiser.block * Math.ceil(LEAF / quantiser.block);
  const sweep = async (from: number, to: number): Promise<void> => {
    if (to - from <= leaf) {
      sweepLeaf(state, quantiser, from, to);
      return;
    }
    const middle = from + leaf * Math.ceil((to - from) / (2 * leaf));
    await sweep(from, middle);
    await carryErrors(runner, state, from, middle, to);
    await sweep(middle, to);
  };
  await sweep(0, C);
  return { weights: toRows(state.weights, hessian.order), error: state.error };
}

/** Columns [C, O] in the order of the sweep. */
interface State {
  readonly O: number;
  readonly C: number;
  readonly factor: Float32Array;
  /** The given weights; the quantised ones in the columns that are done. */
  readonly weights: Float32Array;
  /** sum over the i that have been carried of (w_i - q_i) R_id; w - q in the columns that are done. */
  readonly errors: Float32Array;
  /** Of one column [O]: the value that stands for it, and what that is rounded to. */
  readonly column: { readonly values: Float32Array; readonly quantised: Float32Array };
  error: number;
}

function openSweep(given: Float32Array, { order, factor, dead }: FactoredHessian): State {
  const C = order.length;
  const O = given.length / C;
  const weights = toColumns(given, order);
  order.forEach((channel, n) => dead[channel] && weights.fill(0, n * O, (n + 1) * O));
  const column = { values: new Float32Array(O), quantised: new Float32Array(O) };
  return { O, C, factor, weights, errors: new Float32Array(weights.length), column, error: 0 };
}

/** Carries the errors of the columns [from, middle) to [middle, to): (R_ab)^T E_a. */
async function carryErrors(
  runner: Runner,
  { O, C, factor, errors }: State,
  from: number,
  middle: number,
  to: number,
): Promise<void> {
  const [done, next] = [middle - from, to - middle];
  const arena = createArena();
  const block = new Float32Array(arena.allocate(4 * done * next));
  for (let i = 0; i < done; i++) {
    const row = (from + i) * C;
    block.set(factor.subarray(row + middle, row + to), i * next);
  }
  const { backend } = runner;
  using a = backend.upload(hostTensor('float32', block, [done, next]));
  arena.free();
  using b = backend.upload(hostTensor('float32', errors.subarray(from * O, middle * O), [done, O]));
  using y = runner.run('matmul_tn_f32', { a, b }).y;
  const { data } = await backend.read(y);
  addTo(errors.subarray(middle * O, to * O), data as Float32Array, 1);
}

function sweepLeaf(state: State, quantiser: ColumnQuantiser, from: number, to: number): void {
  const { O, C, factor, weights, errors, column } = state;
  const { values, quantised } = column;
  const columnOf = (all: Float32Array, n: number): Float32Array => all.subarray(n * O, (n + 1) * O);
  for (let first = from; first < to; first += quantiser.block) {
    const last = Math.min(to, first + quantiser.block);
    if (quantiser.begin) quantiser.begin(first, last, blockValues(state, first, last));
    for (let n = first; n < last; n++) {
      const [w, e] = [columnOf(weights, n), columnOf(errors, n)];
      const pivot = factor[n * C + n];
      values.set(w);
      addTo(values, e, 1 / pivot);
      quantiser.column(n, values, quantised);
      for (let o = 0; o < O; o++) {
        e[o] = w[o] - quantised[o];
        w[o] = quantised[o];
        state.error += ((values[o] - quantised[o]) * pivot) ** 2;
      }
      for (let d = n + 1; d < to; d++) addTo(columnOf(errors, d), e, factor[n * C + d]);
    }
  }
}

/**
 * The values that stand for the columns [from, to) while none of them is quantised, [to - from, O]: each takes over errors
 * of the columns before `from`, also through those in between.
 */
function blockValues({ O, C, factor, weights, errors }: State, from: number, to: number): Float32Array {
  const values = weights.slice(from * O, to * O);
  const free = errors.slice(from * O, to * O);
  const column = (of: Float32Array, n: number): Float32Array =>
    of.subarray((n - from) * O, (n - from + 1) * O);
  for (let n = from; n < to; n++) {
    const moved = column(free, n);
    addTo(column(values, n), moved, 1 / factor[n * C + n]);
    // w - v of a column that takes over errors is what it took, turned round.
    for (let d = n + 1; d < to; d++) addTo(column(free, d), moved, -factor[n * C + d] / factor[n * C + n]);
  }
  return values;
}

function addTo(to: Float32Array, from: Float32Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] += factor * from[i];
}

/** Weights [O, C] to columns [C, O] in the order of a sweep. */
export function toColumns(
  weights: Float32Array,
  order: Int32Array,
  allocate: HostArena['allocate'] = (bytes) => new ArrayBuffer(bytes),
): Float32Array {
  const C = order.length;
  const O = weights.length / C;
  const columns = new Float32Array(allocate(weights.byteLength));
  for (let n = 0; n < C; n++) {
    for (let o = 0; o < O; o++) columns[n * O + o] = weights[o * C + order[n]];
  }
  return columns;
}

/** [C, O] in the order of a sweep to [O, C] in that of the channels. */
export function toRows<T extends Float32Array | Uint8Array | Int8Array>(columns: T, order: Int32Array): T {
  const C = order.length;
  const O = columns.length / C;
  const rows = columns.slice() as T;
  for (let n = 0; n < C; n++) {
    for (let o = 0; o < O; o++) rows[o * C + order[n]] = columns[n * O + o];
  }
  return rows;
}
