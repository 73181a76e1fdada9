import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** Widths at which every figure is drawn: for a page of a desk, and for one of a phone. */
export const WIDTHS = { wide: 720, narrow: 350 } as const;

/** Draws a plot as SVG text, without a browser. Colours that are not given follow the text of the page. */
export function drawSvg(title: string, width: number, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const drawn = Plot.plot({
    document,
    width,
    ariaLabel: title,
    style: { background: 'none', fontSize: '12px' },
    ...options,
  });
  drawn.setAttribute('role', 'img');
  return drawn.outerHTML;
}

/** One label beside a plot, at the height of what it names. */
export interface EdgeLabel {
  readonly label: string;
  readonly y: number;
}

/** A vertical scale in pixels, known before the plot is drawn. */
export interface Height {
  readonly domain: readonly [number, number];
  readonly log: boolean;
  readonly height: number;
  readonly top: number;
  readonly bottom: number;
}

const LINE_PIXELS = 15;

/**
 * Heights of labels, in units of the scale, moved apart so that no two lines of text touch, and no further: the sum of
 * squared moves is least.
 */
export function spreadLabels<T extends EdgeLabel>(
  labels: readonly T[],
  scale: Height,
): (T & { at: number })[] {
  const along = (value: number): number => (scale.log ? Math.log(value) : value);
  const [least, most] = scale.domain.map(along);
  const inside = scale.height - scale.top - scale.bottom;
  const toPixel = (y: number): number => scale.top + (inside * (most - along(y))) / (most - least || 1);
  const toValue = (pixel: number): number => {
    const value = most - ((pixel - scale.top) * (most - least || 1)) / inside;
    return scale.log ? Math.exp(value) : value;
  };
  const sorted = labels.toSorted((a, b) => b.y - a.y);
  // Less the lines above it, a label may stand no higher than the one before: the nearest rising sequence.
  const places = rising(sorted.map(({ y }, i) => toPixel(y) - i * LINE_PIXELS));
  const lowest = scale.height - scale.bottom - (sorted.length - 1) * LINE_PIXELS;
  const inFrame = (place: number): number => Math.min(Math.max(place, scale.top), lowest);
  return sorted.map((label, i) => ({ ...label, at: toValue(inFrame(places[i]) + i * LINE_PIXELS) }));
}

/** The sequence that never falls and is nearest to the values: neighbours that fall share their mean. */
function rising(values: readonly number[]): number[] {
  const runs: { mean: number; count: number }[] = [];
  for (const value of values) {
    let run = { mean: value, count: 1 };
    while (runs.length > 0 && runs.at(-1)!.mean > run.mean) {
      const before = runs.pop()!;
      const count = before.count + run.count;
      run = { mean: (before.mean * before.count + run.mean * run.count) / count, count };
    }
    runs.push(run);
  }
  return runs.flatMap(({ mean, count }) => Array.from({ length: count }, () => mean));
}

/** A domain with some room around its values. */
export function roomy(values: readonly number[], log: boolean): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (log) return [least / 1.15, most * 1.15];
  const room = (most - least) * 0.08 || Math.abs(most) * 0.05 || 1;
  return [least - room, most + room];
}

/** Marks of spread labels: each from what it names, at `x`, to its text at the right edge. */
export const labelMarks = (
  labels: readonly (EdgeLabel & { at: number })[],
  { x, edge, fill }: { readonly x: number | string; readonly edge: number; readonly fill: string },
): Plot.Markish[] => [
  Plot.link(labels, { x1: x, y1: 'y', x2: edge, y2: 'at', stroke: 'currentColor', strokeOpacity: 0.25 }),
  Plot.text(labels, { x: edge, y: 'at', text: 'label', textAnchor: 'start', dx: 5, fill }),
];
