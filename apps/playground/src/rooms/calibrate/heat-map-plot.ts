/** Draws the heat map: one picture of all cells inside an SVG, so that many channels stay quick. */
import * as Plot from '@observablehq/plot';
import { binned, domainOf, type MapRow } from './heat-map-cells.ts';
import type { Selection } from './state.ts';
import { siteTitle } from '../../engine/titles.ts';

/** Colours of T, on light and on dark. */
export const STEP_COLOURS: ReadonlyMap<number, string> = new Map([
  [2, '#f08a24'],
  [4, '#e0345c'],
  [8, '#c04ad0'],
  [16, '#7a6cf0'],
]);

const MARGIN = { left: 92, right: 14, top: 74, bottom: 46 };
const SHADES = 256;

export interface MapOptions {
  readonly rows: readonly MapRow[];
  readonly scale: 'log' | 'linear';
  readonly sorted: boolean;
}

/** Where a pointer is: a row, and shares of its channels from 0 to 1. */
export interface MapPlace {
  readonly row: number;
  readonly share: number;
  /** Of a pixel. */
  readonly width?: number;
}

export interface MapPlot {
  readonly element: SVGSVGElement;
  readonly placeOf: (event: MouseEvent) => MapPlace | undefined;
}

/** A map that is drawn again and again with another selection; its picture is painted once a width. */
export function createMap(options: MapOptions): (width: number, at: Selection | undefined) => MapPlot {
  const { rows, scale, sorted } = options;
  const rowHeight = rows.length <= 40 ? 18 : rows.length <= 100 ? 12 : 7;
  const height = rows.length * rowHeight;
  const color = {
    type: scale,
    domain: domainOf(rows, scale),
    scheme: 'viridis',
    label: null,
  } as const;
  const labelled = rows.flatMap(({ layer }, i) =>
    rowHeight > 10 || rows[i - 1]?.layer !== layer ? [i] : [],
  );
  let painted: { readonly inner: number; readonly source: string } | undefined;

  return (width, at) => {
    const inner = Math.max(40, width - MARGIN.left - MARGIN.right);
    if (painted?.inner !== inner) painted = { inner, source: paint(rows, color, rowHeight, inner) };
    const { source } = painted;
    const element = Plot.plot({
      width,
      height: height + MARGIN.top + MARGIN.bottom,
      marginLeft: MARGIN.left,
      marginRight: MARGIN.right,
      marginTop: MARGIN.top,
      marginBottom: MARGIN.bottom,
      x: {
        domain: [0, 100],
        label: sorted ? 'channels by falling saliency (%)' : 'channels in order (%)',
        labelAnchor: 'center',
        labelArrow: 'none',
      },
      y: { domain: [rows.length, 0], axis: null },
      marks: [
        () =>
          svg('image', {
            x: MARGIN.left,
            y: MARGIN.top,
            width: inner,
            height,
            href: source,
            preserveAspectRatio: 'none',
            style: 'image-rendering: pixelated',
          }),
        Plot.text(labelled, {
          y: (i: number) => i + 0.5,
          text: (i: number) => `${rows[i].layer} · ${siteTitle(rows[i].group)}`,
          frameAnchor: 'left',
          textAnchor: 'end',
          dx: -8,
          dy: -1,
        }),
        Plot.text(['layer · input'], {
          frameAnchor: 'top-left',
          textAnchor: 'end',
          dx: -8,
          dy: -10,
          fillOpacity: 0.7,
        }),
        Plot.rect(frameOf(rows, at, inner), {
          x1: 'x1',
          x2: 'x2',
          y1: 'y1',
          y2: 'y2',
          stroke: 'currentColor',
          strokeWidth: 2,
          inset: -2,
        }),
      ],
    }) as SVGSVGElement;
    element.append(colourLegend(color, inner), stepLegend(rows, width));
    return { element, placeOf: placing(element, { width, inner, rowHeight, rows: rows.length }) };
  };
}

function placing(
  element: Element,
  { width, inner, rowHeight, rows }: Record<'width' | 'inner' | 'rowHeight' | 'rows', number>,
): MapPlot['placeOf'] {
  return ({ clientX, clientY }) => {
    const box = element.getBoundingClientRect();
    const zoom = width / box.width;
    const share = ((clientX - box.left) * zoom - MARGIN.left) / inner;
    const row = Math.floor(((clientY - box.top) * zoom - MARGIN.top) / rowHeight);
    return share >= 0 && share < 1 && row >= 0 && row < rows ? { row, share, width: 1 / inner } : undefined;
  };
}

/** The frame of the selected cell, as data of a rect: none, or one. */
function frameOf(rows: readonly MapRow[], at: Selection | undefined, inner: number) {
  const y1 = rows.findIndex(({ layer, group }) => layer === at?.layer && group === at.group);
  const place = at === undefined || y1 < 0 ? -1 : rows[y1].order.indexOf(at.channel);
  if (place < 0) return [];
  const { length } = rows[y1].order;
  const x1 = (100 * place) / length;
  return [{ x1, x2: Math.max((100 * (place + 1)) / length, x1 + 300 / inner), y1, y2: y1 + 1 }];
}

interface ColorScale {
  readonly type: 'log' | 'linear';
  readonly domain: [number, number];
  readonly scheme: 'viridis';
  readonly label: null;
}

/** All cells as the address of a picture: saliency, and below it the steps of the channels that have more than one. */
function paint(rows: readonly MapRow[], color: ColorScale, rowHeight: number, inner: number): string {
  const columns = Math.round(inner * devicePixelRatio);
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows.length * rowHeight;
  const context = canvas.getContext('2d')!;
  const shade = Plot.scale({ color: { ...color, type: 'linear', domain: [0, SHADES - 1] } });
  const shades = Array.from({ length: SHADES }, (_, i): string => shade.apply(i));
  const [low, high] = color.domain;
  const partOf =
    color.type === 'log'
      ? (value: number) => Math.log(value / low) / Math.log(high / low)
      : (value: number) => (value - low) / (high - low);
  const marks = Math.round(rowHeight / 5);
  for (const [i, { relative, order, steps }] of rows.entries()) {
    const top = i * rowHeight;
    const below = top + rowHeight - marks - 2;
    for (const [column, value] of binned(relative, order, columns).entries()) {
      const part = Math.min(1, Math.max(0, value > 0 ? partOf(value) : 0));
      context.fillStyle = shades[Math.round(part * (SHADES - 1))];
      context.fillRect(column, top, 1, below - top);
    }
    if (steps === undefined) continue;
    for (const [column, T] of binned(steps, order, columns).entries()) {
      if (T === 1) continue;
      context.fillStyle = STEP_COLOURS.get(T)!;
      context.fillRect(column, below, 1, marks);
    }
  }
  return canvas.toDataURL();
}

/** What the colours are. */
function colourLegend(color: ColorScale, inner: number): SVGElement {
  const legend = svg('g', { transform: `translate(${MARGIN.left}, 0)` });
  const title = svg('text', { y: 10, fill: 'currentColor', 'text-anchor': 'start' });
  title.textContent = 'saliency over the mean of its input';
  const width = Math.min(240, inner);
  legend.append(
    title,
    Plot.legend({ color, width, height: 46, marginTop: 18, marginLeft: 1, ticks: 4, tickFormat: '~g' }),
  );
  return legend;
}

/** What the marks below the rows are; empty where there are none. */
function stepLegend(rows: readonly MapRow[], width: number): SVGElement {
  const legend = svg('g', { 'text-anchor': 'end' });
  const present = [...STEP_COLOURS].filter(([T]) => rows.some(({ steps }) => steps?.includes(T)));
  for (const [i, [T, colour]] of present.toReversed().entries()) {
    const x = width - MARGIN.right - 54 * i;
    const label = svg('text', { x, y: MARGIN.top - 10, fill: 'currentColor' });
    label.textContent = `T = ${T}`;
    legend.append(label, svg('rect', { x: x - 46, y: MARGIN.top - 18, width: 10, height: 8, fill: colour }));
  }
  return legend;
}

function svg(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  return element;
}
