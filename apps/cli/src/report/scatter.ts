import * as Plot from '@observablehq/plot';
import type { DoneRow } from '../compare/row.ts';
import { drawSvg, labelMarks, roomy, spreadLabels } from './svg.ts';

/** What the horizontal axis of a scatter plot is. */
export interface Measure {
  readonly title: string;
  readonly label: string;
  readonly of: (row: DoneRow) => number;
  readonly log: boolean;
}

/** How a point is drawn, by how many spike steps there are. */
const KINDS = [
  {
    name: 'float activations',
    colour: 'var(--grey)',
    symbol: 'diamond',
    has: (steps: number | null) => steps === null,
  },
  {
    name: 'one step everywhere',
    colour: 'var(--blue)',
    symbol: 'circle',
    has: (steps: number | null) => steps === 1,
  },
  { name: 'more steps for salient channels', colour: 'var(--red)', symbol: 'triangle', has: () => true },
] as const;

export const kindOf = ({ averageSteps }: DoneRow) => KINDS.find(({ has }) => has(averageSteps))!;

/** Perplexity against a measure, each point named at the right edge. */
export function drawScatter(
  rows: readonly DoneRow[],
  { title, label, of, log }: Measure,
  width: number,
): string {
  const points = rows.map((row) => ({
    label: row.method,
    x: of(row),
    y: row.evaluation.perplexity,
    ...kindOf(row),
  }));
  const ys = points.map(({ y }) => y);
  const logY = Math.max(...ys) / Math.min(...ys) > 10;
  const size = { height: Math.max(300, 90 + 16 * points.length), top: 24, bottom: 44 };
  const domain = roomy(ys, logY);
  const xs = points.map(({ x }) => x);
  const xDomain = log ? roomy(xs, true) : ([0, Math.max(...xs) * 1.05] as [number, number]);
  const labels = spreadLabels(points, { domain, log: logY, ...size });
  return drawSvg(title, width, {
    height: size.height,
    marginTop: size.top,
    marginBottom: size.bottom,
    marginLeft: 52,
    marginRight: 116,
    x: {
      label,
      domain: xDomain,
      type: log ? 'log' : 'linear',
      ticks: log ? logTicks(xDomain) : width > 500 ? 8 : 4,
      tickFormat: '~s',
    },
    y: { label: 'perplexity', domain, type: logY ? 'log' : 'linear', grid: true },
    marks: [
      ...labelMarks(labels, { x: 'x', edge: xDomain[1], fill: 'currentColor' }),
      ...KINDS.map(({ name, colour, symbol }) =>
        Plot.dot(
          points.filter((point) => point.name === name),
          { x: 'x', y: 'y', symbol, stroke: colour, strokeWidth: 2, r: 5 },
        ),
      ),
    ],
  });
}

/** 1, 2 and 5 times the powers of ten within a domain. */
function logTicks([least, most]: readonly [number, number]): number[] {
  const first = Math.floor(Math.log10(least));
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) - first }, (_, i) => 10 ** (first + i));
  return powers
    .flatMap((power) => [1, 2, 5].map((times) => times * power))
    .filter((x) => x >= least && x <= most);
}

/** What the symbols of the scatter plots mean, of those that occur. */
export const legendOf = (rows: readonly DoneRow[]) =>
  KINDS.filter((kind) => rows.some((row) => kindOf(row) === kind));
