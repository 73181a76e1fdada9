/** The cells of the heat map: channels of each input in the order that is shown, with their scores and steps. */
import type { SaliencyMap, SaliencyRow } from '../../engine/calibrate.ts';
import type { InputSteps } from '../../engine/spiking.ts';

export interface MapRow extends SaliencyRow {
  /** Score of each channel over the mean |score| of the input, [C]. */
  readonly relative: Float64Array;
  /** Channels in the order in which they stand, [C]. */
  readonly order: Int32Array;
  /** T of each channel; undefined where there is no spiking model. */
  readonly steps: Uint8Array | undefined;
}

export function mapRows(
  { rows }: SaliencyMap,
  steps: readonly InputSteps[] | undefined,
  sorted: boolean,
): MapRow[] {
  return rows.map((row) => {
    const { scores, layer, group } = row;
    const mean = scores.reduce((sum, score) => sum + Math.abs(score), 0) / scores.length || 1;
    const order = Int32Array.from(scores, (_, channel) => channel);
    if (sorted) order.sort((a, b) => scores[b] - scores[a] || a - b);
    const own = steps?.find((input) => input.layer === layer && input.group === group)?.steps;
    return { ...row, relative: scores.map((score) => score / mean), order, steps: own };
  });
}

/**
 * The largest value of the channels that fall on each of `columns` equal parts of a row; a channel that is wider than a
 * part fills several.
 */
export function binned(values: ArrayLike<number>, order: Int32Array, columns: number): Float64Array {
  const C = order.length;
  return Float64Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * C) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * C) / columns));
    let most = -Infinity;
    for (let place = from; place < to; place++) most = Math.max(most, values[order[place]]);
    return most;
  });
}

/** Ends of the colour scale. */
export function domainOf(rows: readonly MapRow[], scale: 'log' | 'linear'): [number, number] {
  let most = 0;
  for (const { relative } of rows) for (const value of relative) most = Math.max(most, value);
  return [scale === 'log' ? 0.01 : 0, most > 0.02 ? most : 1];
}
