/** What a pipeline says of the memory and the time that it takes. */
import type { Backend } from '@spikellm/backend';
import {
  inputSites,
  integerRowBytes,
  linearRows,
  type LayerGraph,
  type ModelGraph,
  type WeightRows,
} from '@spikellm/graph';
import type { CommonSettings } from '../settings/settings.ts';

/** The most bytes that a part of a run holds at once, beyond what the process has anyway. */
export interface PartSize {
  readonly part: 'check' | 'embed' | 'calibrate' | 'gradients' | 'train' | 'compensate' | 'encode' | 'tables';
  readonly bytes: number;
}

/** Bytes that a part is made of. The layer is the largest one of the model. */
export interface LayerBytes {
  readonly layer: LayerGraph;
  readonly layers: number;
  /** Float32 weights of its linears. */
  readonly weights: number;
  /** Float32 weights of its largest linear. */
  readonly largest: number;
  /** The layer as it is written. */
  readonly packed: number;
  /** What stands beside a tensor that is read. */
  readonly reading: number;
  /** Activation streams that are kept in memory. */
  readonly streams: number;
  /** Activations of a pass, and of a training step with its gradients. */
  readonly forward: number;
  readonly training: number;
  /** What earlier parts of the run took on the device. */
  readonly before: number;
}

/** Seconds per token and weight of a layer, but for encoding, which is per weight. */
export interface Rates {
  readonly forward: number;
  /** A pass that scores the channels of every linear. */
  readonly scored: number;
  /** A forward and a backward pass and an update. */
  readonly training: number;
  readonly encoding: number;
}

export interface LayerWork {
  readonly layer: LayerGraph;
  readonly weights: number;
  /** Of all calibration windows. */
  readonly tokens: number;
  /** Whether channels are scored. */
  readonly scores: boolean;
  readonly rates: Rates;
}

export interface Probe<Own> {
  readonly backend: Backend;
  /** A layer of the model's proportions. */
  readonly layer: LayerGraph;
  readonly graph: ModelGraph;
  readonly settings: CommonSettings;
  readonly own: Own;
  /** Tokens of a window. */
  readonly length: number;
  readonly signal?: AbortSignal | undefined;
}

export interface PipelineSize<Own, Measured = unknown> {
  /** Whether scales are folded into float weights before they are encoded, which makes a copy. */
  readonly folds: boolean;
  /** Bytes of the rows of a linear as they are written, where that is not whole numbers of the settings' bits. */
  rowBytes?(rows: WeightRows, own: Own): number | undefined;
  /** Parts of the work on layers. */
  parts(bytes: LayerBytes, own: Own): PartSize[];
  /** Short measurements of its own work, beside those that all pipelines share. */
  measure?(probe: Probe<Own>): Promise<Measured>;
  /** Seconds of the work on one layer. @param measured - what `measure` found */
  seconds(work: LayerWork, own: Own, measured: Measured): number;
}

/** Of a pipeline that looks at no more than a layer and its statistics. */
export const layerSize = ({ folds }: { readonly folds: boolean }): PipelineSize<object> => ({
  folds,
  parts: (bytes) => [
    ...(bytes.streams > 0
      ? [
          {
            part: 'calibrate' as const,
            bytes: bytes.streams + bytes.weights + Math.max(bytes.reading, bytes.weights + bytes.forward),
          },
        ]
      : []),
    encodePart(bytes, folds, bytes.streams),
  ],
  seconds: ({ weights, tokens, scores, rates }) =>
    (scores || folds ? rates.scored * tokens * weights : 0) + rates.encoding * weights,
});

/** Encoding: what was read, a folded copy of it, and the codes of one linear before they are packed. */
export const encodePart = (
  { weights, reading, largest, packed }: LayerBytes,
  folds: boolean,
  kept: number,
): PartSize => ({
  part: 'encode',
  bytes: kept + weights + Math.max(reading, (folds ? weights : 0) + largest / 4 + packed),
});

/** The rows of all linears of a layer. */
export const linearsOf = (layer: LayerGraph): WeightRows[] =>
  inputSites(layer).flatMap(({ readers }) => readers.map((node) => linearRows(layer.prefix, node)));

/** Weights of the linears of a layer. */
export const layerParameters = (layer: LayerGraph): number =>
  linearsOf(layer).reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);

/** Bytes of the rows of a linear as whole numbers, or as floats at 16 bits. */
export const plainRowBytes = ({ inputs, outputs }: WeightRows, bits: number): number =>
  outputs * (bits >= 16 ? 4 * inputs : integerRowBytes(inputs, bits));
