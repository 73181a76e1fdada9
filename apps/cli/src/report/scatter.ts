import * as Plot from '@observablehq/plot';
import type { DoneRow } from '../compare/row.ts';
import { drawSvg, labelMarks, roomy, spreadLabels } from './svg.ts';

/** What the horizontal axis of a scatter plot is. */
export interface Measure {
  readonly title: string;
  readonly label: string;
  readonly unit?: string;
  readonly of: (row: DoneRow) => number;
  /** Where a logarithmic axis has its ticks; by default at 1, 2 and 5 times powers of ten. */
  readonly ticks?: readonly number[];
}

/** How a point is drawn: by what its weights are where that is the method's point, else by its spikes. */
const KINDS = [
  {
    name: 'baselines, weights only',
    colour: 'var(--orange)',
    symbol: 'times',
    has: ({ baseline }: DoneRow) => baseline !== null,
  },
  {
    name: 'ternary weights',
    colour: 'var(--green)',
    symbol: 'square',
    has: ({ averageWeightSteps }: DoneRow) => averageWeightSteps !== null,
  },
  {
    name: 'float activations',
    colour: 'var(--grey)',
    symbol: 'diamond',
    has: ({ averageSteps }: DoneRow) => averageSteps === null,
  },
  {
    name: 'one step everywhere',
    colour: 'var(--blue)',
    symbol: 'circle',
    has: ({ averageSteps }: DoneRow) => averageSteps === 1,
  },
  { name: 'more steps for salient channels', colour: 'var(--red)', symbol: 'triangle', has: () => true },
] as const;

export const kindOf = (row: DoneRow) => KINDS.find(({ has }) => has(row))!;

/** A vertical axis and the rows that have a place on it. */
interface Loss {
  readonly label: string;
  readonly of: (row: DoneRow) => number;
  readonly log: boolean;
  readonly rows: readonly DoneRow[];
  /** The row that all others are held against, where they are. */
  readonly float: DoneRow | undefined;
}

/** An axis is logarithmic where values differ by more than this. */
const WIDE = 10;

/**
 * Perplexity; where some methods lose more than ten times as much as others, what they lose to the float model, on a
 * logarithmic axis: otherwise the worst alone would fill the plot.
 */
export function lossOf(rows: readonly DoneRow[]): Loss {
  const perplexity = ({ evaluation }: DoneRow): number => evaluation.perplexity;
  const isWide = (values: readonly number[]): boolean =>
    Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > WIDE;
  const float = rows.find(({ settings, baseline }) => settings === null && baseline === null);
  const others = rows.filter((row) => row !== float);
  const above = (row: DoneRow): number => perplexity(row) - perplexity(float!);
  if (float !== undefined && isWide(others.map(above))) {
    const label = `perplexity above float, ${perplexity(float).toFixed(2)} (log scale)`;
    return { label, of: above, log: true, rows: others, float };
  }
  const log = isWide(rows.map(perplexity));
  const label = log ? 'perplexity (log scale)' : 'perplexity';
  return { label, of: perplexity, log, rows, float: undefined };
}

/** Perplexity against a measure, each point named at the right edge. */
export function drawScatter(rows: readonly DoneRow[], measure: Measure, width: number): string {
  const loss = lossOf(rows);
  const points = loss.rows.map((row) => ({
    label: row.method,
    x: measure.of(row),
    y: loss.of(row),
    ...kindOf(row),
  }));
  const size = { height: Math.max(300, 90 + 17 * points.length), top: 24, bottom: 44 };
  const domain = roomy(
    points.map(({ y }) => y),
    loss.log,
  );
  const xs = points.map(({ x }) => x);
  const log = Math.max(...xs) > 2 * Math.min(...xs);
  const xDomain = log ? roomy(xs, true) : ([0, Math.max(...xs) * 1.05] as [number, number]);
  const notes = [measure.unit, log ? 'log scale' : undefined].filter((note) => note !== undefined);
  const labels = spreadLabels(points, { domain, log: loss.log, ...size });
  return drawSvg(measure.title, width, {
    height: size.height,
    marginTop: size.top,
    marginBottom: size.bottom,
    marginLeft: 52,
    marginRight: 126,
    x: {
      label: notes.length > 0 ? `${measure.label} (${notes.join(', ')})` : measure.label,
      domain: xDomain,
      type: log ? 'log' : 'linear',
      ticks: log ? logTicks(xDomain, measure.ticks) : width > 500 ? 8 : 4,
      tickFormat: '~s',
    },
    y: {
      label: loss.label,
      domain,
      type: loss.log ? 'log' : 'linear',
      grid: true,
      ...(loss.log && { ticks: logTicks(domain), tickFormat: '~g' }),
    },
    marks: [
      ...labelMarks(labels, { x: 'x', edge: xDomain[1], fill: 'currentColor' }),
      ...KINDS.map(({ name, colour, symbol }) =>
        Plot.dot(
          points.filter((point) => point.name === name),
          { x: 'x', y: 'y', symbol, stroke: colour, strokeWidth: 1.75, r: 4.5 },
        ),
      ),
    ],
  });
}

/** The ticks within a domain; by default 1, 2 and 5 times the powers of ten. */
function logTicks([least, most]: readonly [number, number], ticks?: readonly number[]): number[] {
  const first = Math.floor(Math.log10(least));
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) - first }, (_, i) => 10 ** (first + i));
  const all = ticks ?? powers.flatMap((power) => [1, 2, 5].map((times) => times * power));
  return all.filter((x) => x >= least && x <= most);
}

/** What the symbols of the scatter plots mean, of those that occur. */
export const legendOf = (rows: readonly DoneRow[]) => {
  const drawn = lossOf(rows).rows;
  return KINDS.filter((kind) => drawn.some((row) => kindOf(row) === kind));
};
