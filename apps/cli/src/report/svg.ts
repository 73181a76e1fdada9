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

/** Heights of labels, in units of the scale, moved apart so that no two lines of text touch. */
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
  const pixels = sorted.map(({ y }) => toPixel(y));
  for (let i = 1; i < pixels.length; i++) pixels[i] = Math.max(pixels[i], pixels[i - 1] + LINE_PIXELS);
  const floor = scale.height - scale.bottom;
  for (let i = pixels.length - 1, limit = floor; i >= 0; i--, limit -= LINE_PIXELS) {
    pixels[i] = Math.min(pixels[i], limit);
  }
  return sorted.map((label, i) => ({ ...label, at: toValue(pixels[i]) }));
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
