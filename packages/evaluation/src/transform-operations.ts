import { FLOAT_BITS, nodesOf, type LayerGraph } from '@spikellm/graph';
import type { EnergyTable } from './energy.ts';
import type { OperationCounts } from './operation-counts.ts';
import { sum } from './sum.ts';

/** Operations of a rotation that the model does as it runs, for one token. */
export interface TransformOperations {
  /** An addition of a butterfly or a multiply-accumulate of the odd rest, each one. */
  readonly macs: number;
  readonly additions: number;
  readonly multiplications: number;
}

/**
 * Counts `hadamard_f32` on C = 2^k m channels, m odd: k stages of butterflies, one addition a channel, and a matrix of m
 * columns, m multiplications and m - 1 additions a channel. For m = 1 that matrix is the scaling by 1 / sqrt(C).
 */
export function hadamardOperations(channels: number): TransformOperations {
  const powers = channels & -channels;
  const stages = Math.log2(powers);
  const rest = channels / powers;
  return {
    macs: channels * (stages + rest),
    additions: channels * (stages + rest - 1),
    multiplications: channels * rest,
  };
}

/** Multiply-accumulates of all rotations that run in some layers, for one token. */
export const transformMacs = (layers: readonly LayerGraph[]): number =>
  sum(layers, (layer) =>
    sum(nodesOf(layer, 'hadamard'), ({ output }) => hadamardOperations(output.width).macs),
  );

/** Of a rotation that runs, means per token: floats in place, every one of its products. */
export interface TransformOperationReport extends OperationCounts {
  readonly layer: number;
  readonly name: string;
  readonly width: number;
}

/** A rotation of floats: it reads and writes every channel in 16 bits. */
export function reportTransform(
  layer: number,
  name: string,
  width: number,
  table: EnergyTable,
): TransformOperationReport {
  const { macs, additions, multiplications } = hadamardOperations(width);
  const { add, multiply } = table.arithmetic.float16;
  const arithmetic = additions * add + multiplications * multiply;
  const activationBytes = (2 * width * FLOAT_BITS) / 8;
  const ace = macs * FLOAT_BITS * FLOAT_BITS;
  return {
    layer,
    name,
    width,
    macs,
    dense: macs,
    skipped: 0,
    multiplications,
    additions,
    ace,
    aceLog3: ace,
    weightBytes: 0,
    activationBytes,
    energy: {
      dense: arithmetic,
      events: arithmetic,
      additive: arithmetic,
      memory: activationBytes * table.activationByte,
    },
  };
}
