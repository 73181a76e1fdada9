import { createRunner, SpikeError, type Backend } from '@spikellm/backend';
import { createArena, hostTensor, type HostArena } from '@spikellm/graph';

/** A Hessian made ready for the sweep over the columns of a weight. */
export interface FactoredHessian {
  /** The input channel that is taken n-th, [C]. */
  readonly order: Int32Array;
  /** R, upper triangular [C, C] in that order: H + damping = R R^T. */
  readonly factor: Float32Array;
  /** R_jj = 1 / U_jj by input channel, [C], for scores of weights; 0 for a dead channel. */
  readonly pivots: Float64Array;
  /** H_jj by input channel, [C], without damping. */
  readonly diagonal: Float64Array;
  /** Channels that were 0 on the whole calibration text. */
  readonly dead: Uint8Array;
  /** What was added to the diagonal, in parts of its mean. */
  readonly damping: number;
}

export interface FactorOptions {
  readonly backend: Backend;
  /** In parts of the mean of the diagonal. */
  readonly damping: number;
  /** Channels with large inputs first. */
  readonly actOrder: boolean;
  /** Names the linears. */
  readonly where: string;
  /** Told when the damping had to be raised. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** What damping begins with where it was 0 and was not enough; it rises tenfold. */
const LEAST_RAISED = 1e-6;
/** Beyond this the diagonal is all that counts, and no finite matrix fails. */
const LARGEST_DAMPING = 1e3;

/**
 * Factors H of GPTQ (arXiv 2210.17323). A dead channel, H_jj = 0, gets 1 on its diagonal; `damping` times the mean of the
 * diagonal is added, and ten times as much again until the matrix is positive definite, which is told. A Hessian of zeros
 * is that of dead channels only, an identity.
 *
 * The published code inverts H and takes the Cholesky factor U of the inverse, H^-1 = U^T U. Here R = U^-1 comes from H
 * itself, taken from its last column on; the sweep needs R only.
 *
 * @param hessian - [C, C], symmetric
 * Errors: NOT_FINITE
 */
export async function factorHessian(
  hessian: Float32Array,
  { backend, damping: asked, actOrder, where, onNotice }: FactorOptions,
): Promise<FactoredHessian> {
  const C = Math.sqrt(hessian.length);
  const diagonal = Float64Array.from({ length: C }, (_, j) => hessian[j * C + j]);
  checkFinite(diagonal, where);
  const dead = Uint8Array.from(diagonal, (value) => (value === 0 ? 1 : 0));
  const repaired = diagonal.map((value) => (value === 0 ? 1 : value));
  const order = Int32Array.from({ length: C }, (_, j) => j);
  if (actOrder) order.sort((a, b) => repaired[b] - repaired[a] || a - b);
  const mean = repaired.reduce((sum, value) => sum + value, 0) / C;

  using runner = createRunner(backend);
  const arena = createArena();
  const matrix = runner.upload(hostTensor('float32', permuted(hessian, order, arena.allocate), [C, C]));
  arena.free();
  for (let damping = asked; ; damping = Math.max(10 * damping, LEAST_RAISED)) {
    const added = Float32Array.from(order, (j) => damping * mean + dead[j]);
    using diagonals = backend.upload(hostTensor('float32', added));
    const result = runner.run('cholesky_f32', { hessian: matrix, damping: diagonals });
    using factored = result.factor;
    using failed = result.pivot;
    const pivot = (await backend.read(failed)).data[0] as number;
    if (pivot < 0) {
      matrix.dispose();
      const factor = (await backend.read(factored)).data as Float32Array;
      const pivots = new Float64Array(C);
      order.forEach((j, n) => (pivots[j] = dead[j] ? 0 : factor[n * C + n]));
      return { order, factor, pivots, diagonal, dead, damping };
    }
    const raised = Math.max(10 * damping, LEAST_RAISED);
    if (raised > LARGEST_DAMPING) throw notPositive(where);
    onNotice?.(
      `${where}: the Hessian is not positive definite at channel ${order[pivot]} with damping ${damping}, which is raised to ${raised}`,
    );
  }
}

/** Rows and columns in a new order. */
function permuted(matrix: Float32Array, order: Int32Array, allocate: HostArena['allocate']): Float32Array {
  const C = order.length;
  if (order.every((j, n) => j === n)) return matrix;
  const result = new Float32Array(allocate(matrix.byteLength));
  // Single elements of lent memory are slow to write, rows are not.
  const row = new Float32Array(C);
  for (let n = 0; n < C; n++) {
    const from = order[n] * C;
    for (let m = 0; m < C; m++) row[m] = matrix[from + order[m]];
    result.set(row, n * C);
  }
  return result;
}

function checkFinite(diagonal: Float64Array, where: string): void {
  const channel = diagonal.findIndex((value) => !(value >= 0 && value < Infinity));
  if (channel < 0) return;
  throw new SpikeError('NOT_FINITE', {
    where,
    expected: 'a Hessian with finite numbers of 0 or more on its diagonal',
    received: `${diagonal[channel]} at channel ${channel}`,
  });
}

const notPositive = (where: string): SpikeError =>
  new SpikeError('NOT_FINITE', {
    where,
    expected: 'a symmetric Hessian of finite numbers',
    received: 'one that no damping makes positive definite',
  });
