/**
 * Uniform grids of GPTQ (arXiv 2210.17323), which hold 0: [min(row, 0), max(row, 0)], or [-1, 1] for a row of zeros.
 * S = (max - min) / (2^n - 1), z = rint(-min / S); symmetric: max = max |w|, min = -max where any w is below 0,
 * z = 2^(n-1). k = clamp(rint(w / S) + z, 0, 2^n - 1), decoded (k - z) S. All in float32.
 */
import { clamp, rint } from '@spikellm/backend';
import type { WeightFormat } from '../weight-quantiser.ts';
import type { ColumnQuantiser } from './sweep.ts';

const f32 = Math.fround;

export interface Grid {
  readonly scale: Float32Array;
  readonly zero: Int32Array;
}

/** A grid for each output from columns [n, O]. */
export function gridOfColumns(columns: Float32Array, O: number, { bits, symmetric }: WeightFormat): Grid {
  const least = new Float32Array(O);
  const most = new Float32Array(O);
  for (let i = 0; i < columns.length; i++) {
    const o = i % O;
    least[o] = Math.min(least[o], columns[i]);
    most[o] = Math.max(most[o], columns[i]);
  }
  const scale = new Float32Array(O);
  const zero = new Int32Array(O);
  const largest = 2 ** bits - 1;
  for (let o = 0; o < O; o++) {
    let [min, max] = [least[o], most[o]];
    if (symmetric) {
      max = Math.max(-min, max);
      if (min < 0) min = -max;
    }
    if (min === 0 && max === 0) [min, max] = [-1, 1];
    // Subnormal ranges would divide by 0.
    scale[o] = Math.max(f32(f32(max - min) / largest), 1e-30);
    zero[o] = symmetric ? (largest + 1) / 2 : rint(f32(-min / scale[o]));
  }
  return { scale, zero };
}

export interface UniformQuantiser extends ColumnQuantiser {
  /** Codes [C, O] in the order of the sweep. */
  readonly codes: Uint8Array;
  /** The grid of each group of columns, in the order of the sweep. */
  readonly grids: readonly Grid[];
}

/**
 * Whole-number codes, one grid an output; or one an output and group of `group` columns of the sweep, found when the sweep
 * comes to the group.
 *
 * @param columns - all columns [C, O] in the order of the sweep
 */
export function createUniformQuantiser(
  columns: Float32Array,
  O: number,
  format: WeightFormat,
  group?: number,
): UniformQuantiser {
  const codes = new Uint8Array(columns.length);
  const grids: Grid[] = group === undefined ? [gridOfColumns(columns, O, format)] : [];
  const largest = 2 ** format.bits - 1;
  return {
    block: group ?? 1,
    codes,
    grids,
    ...(group !== undefined && {
      begin(_: number, __: number, values: Float32Array) {
        grids.push(gridOfColumns(values, O, format));
      },
    }),
    column(n, values, quantised) {
      const { scale, zero } = grids.at(-1)!;
      for (let o = 0; o < O; o++) {
        const code = clamp(rint(f32(values[o] / scale[o])) + zero[o], 0, largest);
        codes[n * O + o] = code;
        quantised[o] = scale[o] * (code - zero[o]);
      }
    },
  };
}
