/** One value in T steps of spikes, and the uniform quantiser of the same step: over a range of values. */
import { count } from '@spikellm/neurons';
import { isSigned, labNeuron, type NeuronName, type Settings } from './neurons.ts';

export interface Encoding {
  readonly neuron: NeuronName;
  /** T. */
  readonly steps: number;
  /** x at each step, or T x at the first and nothing after it. */
  readonly drive: 'constant' | 'once';
  /** Codes up to T L, or up to T (L + 1) - 1 as in the research code. */
  readonly range: 'lossless' | 'saturating';
}

export interface Encoded {
  readonly x: number;
  readonly spikes: readonly number[];
  /** theta / T times the sum of the spikes. */
  readonly decoded: number;
  readonly uniform: number;
  /** decoded - uniform. */
  readonly difference: number;
}

/** Values that the staircase is drawn from, at least. */
const POINTS = 1200;

/**
 * Values from below the range of the codes to above it. They are multiples of a power of two, and so is theta, so that
 * without a leak every membrane is exact and a difference of 0 is one.
 */
export function staircase({ neuron, steps, drive, range }: Encoding, settings: Settings): Encoded[] {
  const made = labNeuron(neuron, settings);
  const { least, most, run } = made;
  const { threshold } = settings;
  const saturating = range === 'saturating' && !isSigned(made);
  const codes = { least: steps * least, most: saturating ? steps * (most + 1) - 1 : steps * most };
  const unit = threshold / steps;

  const span = (codes.most - codes.least) * unit;
  const low = codes.least * unit - span / 8;
  const high = codes.most * unit + span / 8;
  const spacing = 2 ** Math.floor(Math.log2((high - low) / POINTS));
  const first = Math.ceil(low / spacing);
  const length = Math.floor(high / spacing) - first + 1;

  return Array.from({ length }, (_, i) => {
    const x = (first + i) * spacing;
    const { spikes } = run(trainOf(x, steps, drive));
    const code = Math.floor((steps * x) / threshold + 1 / 2);
    const decoded = unit * count(spikes);
    const uniform = unit * Math.min(codes.most, Math.max(codes.least, code));
    return { x, spikes, decoded, uniform, difference: decoded - uniform };
  });
}

const trainOf = (x: number, steps: number, drive: Encoding['drive']): number[] =>
  Array.from({ length: steps }, (_, t) => (drive === 'constant' ? x : t === 0 ? steps * x : 0));

export interface Comparison {
  readonly values: number;
  /** Of how many values the spikes give another code. */
  readonly differing: number;
  /** The largest |difference|, in the unit of the input, and the value it was seen at first. */
  readonly largest: number;
  readonly at: number;
}

export function compare(points: readonly Encoded[]): Comparison {
  let worst = points[0];
  let differing = 0;
  for (const point of points) {
    if (point.difference !== 0) differing++;
    if (Math.abs(point.difference) > Math.abs(worst.difference)) worst = point;
  }
  return { values: points.length, differing, largest: Math.abs(worst.difference), at: worst.x };
}
