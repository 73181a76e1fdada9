import * as Plot from '@observablehq/plot';
import type { DoneRow } from '../compare/row.ts';
import { drawSvg, labelMarks, roomy, spreadLabels } from './svg.ts';

const DASHES = ['none', '6 3', '2 3', '8 3 2 3'];
const COLOURS = ['var(--blue)', 'var(--red)', 'var(--green)', 'var(--orange)'];

export const spikingRows = (rows: readonly DoneRow[]): DoneRow[] =>
  rows.filter(({ operations }) => operations.total.firingRate !== null);

/** Firing rate of the inputs of each layer, a line for each method. */
export function drawFiring(title: string, rows: readonly DoneRow[], width: number): string {
  const lines = spikingRows(rows).map((row, index) => ({
    label: row.method,
    rates: row.operations.layers.map(({ firingRate }, layer) => ({ layer, rate: firingRate! })),
    stroke: COLOURS[index % COLOURS.length],
    dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length],
  }));
  const last = lines[0].rates.length - 1;
  const size = { height: Math.max(280, 90 + 16 * lines.length), top: 24, bottom: 44 };
  const domain = roomy(
    lines.flatMap(({ rates }) => rates.map(({ rate }) => rate)),
    false,
  );
  const ends = lines.map((line) => ({ ...line, y: line.rates[last].rate }));
  const labels = spreadLabels(ends, { domain, log: false, ...size });
  // A layer alone has no line: room on both sides, and a mark for each value.
  const xDomain = [-0.3, last + 0.3];
  return drawSvg(title, width, {
    height: size.height,
    marginTop: size.top,
    marginBottom: size.bottom,
    marginLeft: 52,
    marginRight: 116,
    x: { label: 'layer', domain: xDomain, ticks: Math.min(last + 1, width > 500 ? 16 : 6), tickFormat: 'd' },
    y: { label: 'firing rate', domain, grid: true },
    marks: [
      ...lines.flatMap(({ rates, stroke, dash }) => [
        Plot.line(rates, { x: 'layer', y: 'rate', stroke, strokeDasharray: dash, strokeWidth: 1.5 }),
        Plot.dot(rates, { x: 'layer', y: 'rate', fill: stroke, r: 2.5 }),
      ]),
      ...labelMarks(labels, { x: last, edge: xDomain[1], fill: 'stroke' }),
    ],
  });
}
