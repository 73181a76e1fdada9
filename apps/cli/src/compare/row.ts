import type { BaselineMethod, QuantizeSettings } from '@spikellm/calibration';
import type { KvReport, OperationReport } from '@spikellm/evaluation';
import type { Measured } from '../measure.ts';

/** What is measured of one method. */
export interface Measurements {
  readonly evaluation: Measured;
  /** True bits: everything that the linears store, over their weights. */
  readonly bitsPerWeight: number;
  /** Mean steps of a ternary weight, or binary digits of a baseline's; null for others. */
  readonly averageWeightSteps: number | null;
  /** Mean steps of an input channel; null where inputs are float. */
  readonly averageSteps: number | null;
  readonly operations: OperationReport;
  /** The cache that was used, and what stays float in it. */
  readonly kv: KvReport;
  /** Of the tensors in the model folder; null for a baseline, whose folder of floats says nothing of its size. */
  readonly bytes: number | null;
  /** From the float model to the written folder; null for the float model. */
  readonly calibrationSeconds: number | null;
  /** Decoding one by one, a batch of one; null for a model that cannot. */
  readonly tokensPerSecond: number | null;
  /** The spikes of one token; null where inputs are float. */
  readonly raster: Raster | null;
}

/** The spikes of the last token of the first window, at one input in the middle of the model. */
export interface Raster {
  readonly layer: number;
  /** The spike site, such as `qkv`. */
  readonly group: string;
  /** n: a step emits 0..2^n - 1. */
  readonly bits: number;
  /** T of each channel. */
  readonly steps: readonly number[];
  /** Code of each channel. */
  readonly codes: readonly number[];
  /** The text of the token, and of some before it. */
  readonly text: string;
}

/** How a method makes its model; both null for the model as it is. */
export interface Recipe {
  /** Of `quantize`. */
  readonly settings: QuantizeSettings | null;
  /** Of `quantizeBaseline`: rounded weights in a float folder, for want of a packed format. */
  readonly baseline: { readonly method: BaselineMethod; readonly damping: number } | null;
}

interface RowHead extends Recipe {
  readonly method: string;
  readonly title: string;
}

/** A method that was measured, now or in an earlier run on the same inputs. */
export interface DoneRow extends RowHead, Measurements {
  readonly error: null;
  readonly cached: boolean;
}

/** A method that failed, and why. */
export interface FailedRow extends RowHead {
  readonly error: string;
}

export type Row = DoneRow | FailedRow;

/** Channels of a raster that are shown, those in front. */
export const RASTER_CHANNELS = 256;

/** A row as JSON, whose size does not grow with the model: operations in total, and the channels of a raster that are shown. */
export function jsonRow(row: Row): unknown {
  if (!isDone(row)) return row;
  const { tokens, total, uncounted, energyTable } = row.operations;
  const raster = row.raster && {
    ...row.raster,
    steps: row.raster.steps.slice(0, RASTER_CHANNELS),
    codes: row.raster.codes.slice(0, RASTER_CHANNELS),
  };
  return { ...row, operations: { tokens, total, uncounted, energyTable }, raster };
}

export const isDone = (row: Row): row is DoneRow => row.error === null;
