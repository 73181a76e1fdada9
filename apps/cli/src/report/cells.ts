import * as Plot from '@observablehq/plot';
import { unroll } from '@spikellm/neurons';
import { RASTER_CHANNELS, type Raster } from '../compare/row.ts';
import type { SaliencyRow } from '../compare/saliency-map.ts';
import { drawSvg } from './svg.ts';

/** Steps of a colour ramp that reads on white and on black; ends differ in lightness, for those who see no hue. */
const RAMP = ['#f0e8c8', '#f2c46d', '#e88a4a', '#c94f4f', '#8c2f63', '#43195e'];

/** A ramp with where each step begins. */
export interface Ramp {
  readonly from: readonly number[];
  readonly colours: readonly string[];
}

const colourAt = ({ from, colours }: Ramp, value: number): string =>
  colours[
    Math.max(
      0,
      from.findLastIndex((least) => value >= least),
    )
  ];

/** |score| over the mean of the input. */
export const SALIENCY_RAMP: Ramp = { from: [0, 0.5, 1, 2, 4, 8], colours: RAMP };

/** A spike site as a table names it: by the linears that read it. */
export const groupName = (group: string): string =>
  group === 'qkv' ? 'q, k, v' : group.replaceAll('_', ', ');

/** Saliency by layer and channel, the inputs of a layer below each other. */
export function drawSaliency(title: string, rows: readonly SaliencyRow[], width: number): string {
  const layers = new Set(rows.map(({ layer }) => layer)).size;
  const row = layers <= 8 ? 16 : layers <= 16 ? 9 : 5;
  const cells = rows.flatMap(({ layer, group, bins }) =>
    bins.map((value, bin) => ({
      layer,
      group: groupName(group),
      from: bin / bins.length,
      to: (bin + 1) / bins.length,
      colour: colourAt(SALIENCY_RAMP, value),
    })),
  );
  return drawSvg(title, width, {
    height: 80 + 4 * (row * layers + 8),
    marginLeft: 40,
    marginRight: 62,
    marginBottom: 44,
    x: { label: 'channels of the input, first to last', domain: [0, 1], ticks: 5, tickFormat: '%' },
    y: { label: 'layer', padding: 0, tickFormat: (layer: number) => tickOf(layer, row) },
    fy: { label: null, domain: [...new Set(cells.map(({ group }) => group))], padding: 0.1 },
    marks: [
      Plot.barX(cells, {
        x1: 'from',
        x2: 'to',
        y: 'layer',
        fy: 'group',
        fill: 'colour',
        insetRight: -0.3,
        shapeRendering: 'crispEdges',
      }),
    ],
  });
}

/** Every layer, or every fourth where rows are lower than text. */
const tickOf = (layer: number, row: number): string => (row >= 12 || layer % 4 === 0 ? String(layer) : '');

/** Levels in quarters of the most that a step emits; nothing drawn where nothing is emitted. */
export function rasterRamp(bits: number): Ramp {
  const most = 2 ** bits - 1;
  const from = [...new Set([0.001, 0.25, 0.5, 0.75].map((part) => Math.max(1, Math.ceil(part * most))))];
  return { from, colours: RAMP.slice(1) };
}

/** The spikes of each channel: [C][T] levels. */
export const trainsOf = ({ bits, steps, codes }: Raster): number[][] =>
  codes.map((code, channel) => unroll(code, steps[channel], 2 ** bits - 1));

/** The spikes of one token: a column for each channel, a row for each step. */
export function drawRaster(title: string, raster: Raster, width: number): string {
  const ramp = rasterRamp(raster.bits);
  const trains = trainsOf(raster).slice(0, RASTER_CHANNELS);
  const most = Math.max(...trains.map((train) => train.length));
  const spikes = trains.flatMap((train, channel) =>
    train.map((level, t) => ({ channel, step: t + 1, level })).filter(({ level }) => level > 0),
  );
  const has = trains.flatMap((train, channel) => train.map((_, t) => ({ channel, step: t + 1 })));
  const place = { x1: 'channel', y: 'step', shapeRendering: 'crispEdges' } as const;
  const end = (at: { readonly channel: number }): number => at.channel + 1;
  return drawSvg(title, width, {
    height: 70 + 30 * most,
    marginLeft: 40,
    marginRight: 20,
    marginBottom: 44,
    x: { label: 'channel', domain: [0, trains.length], ticks: width > 500 ? 9 : 5 },
    y: { label: 'step', domain: Array.from({ length: most }, (_, t) => t + 1), padding: 0.15 },
    marks: [
      Plot.barX(has, { ...place, x2: end, fill: 'currentColor', fillOpacity: 0.09 }),
      Plot.barX(spikes, { ...place, x2: end, fill: ({ level }) => colourAt(ramp, level) }),
    ],
  });
}
