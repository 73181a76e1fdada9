import { SIMULATION_NOTE } from '@spikellm/evaluation';
import type { Comparison } from '../compare/run.ts';
import { isDone, RASTER_CHANNELS, type DoneRow, type Raster, type Row } from '../compare/row.ts';
import type { SaliencyRow } from '../compare/saliency-map.ts';
import { columnsOf, tableNotes } from '../compare/table.ts';
import { operations } from '../format.ts';
import {
  drawRaster,
  drawSaliency,
  groupName,
  rasterRamp,
  SALIENCY_RAMP,
  trainsOf,
  type Ramp,
} from './cells.ts';
import { drawFiring, spikingRows } from './firing.ts';
import { html, numbersTable, raw, type Markup } from './markup.ts';
import { drawScatter, legendOf, lossOf, type Measure } from './scatter.ts';
import { STYLE } from './style.ts';
import { WIDTHS } from './svg.ts';

export interface ReportContent {
  /** As it was given on the command line. */
  readonly model: string;
  readonly text: string;
  readonly device: string;
  readonly comparison: Pick<Comparison, 'settings' | 'calibration' | 'version'>;
  readonly rows: readonly Row[];
  readonly saliency: readonly SaliencyRow[];
}

/** The report as one HTML document that refers to nothing outside itself. */
export function renderReport(content: ReportContent): string {
  const { model, text, device, rows, saliency } = content;
  const { settings, calibration, version } = content.comparison;
  const done = rows.filter(isDone);
  const title = `${model}: ${rows.length} methods compared`;
  const widths = `W${settings.weightBits}A${settings.activationBits}`;
  const raster = rasterRow(done);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="soft">
            ${widths}, keys per ${settings.key}, ${settings.range} range, seed ${settings.seed}. Calibrated on
            ${calibration.length} windows of ${calibration[0].length} tokens; predicts ${text}. spikellm
            ${version}, ${device}.
          </p>
          ${resultsTable(rows)}
          <div class="estimate">${tableNotes(done).map((line) => html`<p>${line}</p>`)}</div>
          ${MEASURES.map((measure) => scatter(measure, done))} ${saliency.length > 0 ? heatMap(saliency) : ''}
          ${raster ? rasterFigure(raster) : ''} ${spikingRows(done).length > 0 ? firing(done) : ''}
        </main>
      </body>
    </html> `.html;
}

const MEASURES: readonly (Measure & { readonly said: string; readonly show: (value: number) => string })[] = [
  {
    title: 'Perplexity against true bits per weight',
    label: 'bits per weight',
    of: ({ bitsPerWeight }) => bitsPerWeight,
    ticks: [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 16],
    said: 'Bits count everything a linear stores: codes, scales, zero points, salient channels. Lower and further left is better.',
    show: (value) => value.toFixed(3),
  },
  {
    title: 'Perplexity against ACE',
    label: 'ACE per token',
    unit: 'bits × bits',
    of: (row) => row.operations.total.ace,
    said: 'Arithmetic computation effort: the bits of both operands multiplied, summed over all products of all steps. Lower and further left is better.',
    show: operations,
  },
];

function scatter(measure: (typeof MEASURES)[number], rows: readonly DoneRow[]): Markup {
  if (rows.length === 0) return html``;
  const marks = legendOf(rows).map(
    ({ name, colour, symbol }) =>
      html`<li>
        <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
          <path d="${SYMBOL_PATHS[symbol]}" fill="none" stroke="${colour}" stroke-width="2" /></svg
        >${name}
      </li>`,
  );
  const numbers = rows
    .toSorted((a, b) => measure.of(a) - measure.of(b))
    .map((row) => [row.method, measure.show(measure.of(row)), row.evaluation.perplexity.toFixed(3)]);
  const { float } = lossOf(rows);
  const height =
    float === undefined
      ? ''
      : ` Heights are what is lost to the float model, ${float.evaluation.perplexity.toFixed(2)} at ${measure.show(measure.of(float))} ${measure.label}, which has no place on a logarithmic axis.`;
  return figure({
    title: measure.title,
    said: measure.said + height,
    draw: (width) => drawScatter(rows, measure, width),
    legend: html`<ul class="legend">
      ${marks}
    </ul>`,
    numbers: numbersTable('Numbers of this plot', ['method', measure.label, 'perplexity'], numbers),
  });
}

const SYMBOL_PATHS = {
  circle: 'M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0',
  triangle: 'M0,-6L6,5L-6,5Z',
  diamond: 'M0,-7L5,0L0,7L-5,0Z',
  square: 'M-5,-5H5V5H-5Z',
  times: 'M-5,-5L5,5M-5,5L5,-5',
};

function resultsTable(rows: readonly Row[]): Markup {
  const columns = columnsOf(rows.filter(isDone));
  const head = ['method', ...columns.map((column) => column.head.join(' ').trim())];
  const body = rows.map(
    (row) =>
      html`<tr>
        <th scope="row" title="${row.title}">${row.method}</th>
        ${
          isDone(row)
            ? columns.map((column) => html`<td>${column.show(row)}</td>`)
            : html`<td class="wide" colspan="${columns.length}">failed: ${row.error}</td>`
        }
      </tr> `,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Results">
      <table>
        <thead>
          <tr>
            ${head.map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${body}
        </tbody>
      </table>
    </div>
    <details>
      <summary class="soft">What the methods are</summary>
      ${numbersTable(
        'Methods',
        ['method', 'what it is'],
        rows.map(({ method, title }) => [method, title]),
      )}
    </details>`;
}

function heatMap(rows: readonly SaliencyRow[]): Markup {
  const numbers = rows.map(({ layer, group, bins, topTenth }) => [
    `${layer}: ${groupName(group)}`,
    Math.max(...bins).toFixed(1),
    `${(100 * topTenth).toFixed(0)} %`,
  ]);
  const title = 'Saliency by layer and channel';
  return figure({
    title,
    said: `The published activation saliency |x ∘ (x Wᵀ W)| of the float model on the calibration text, summed over the linears of an input, over the mean of that input. A column is the largest of some neighbouring channels; outlier channels are dark columns.`,
    draw: (width) => drawSaliency(title, rows, width),
    legend: rampLegend(SALIENCY_RAMP, 'times the mean'),
    numbers: numbersTable(
      'Numbers of this plot',
      ['layer: input', 'largest', 'share of the top tenth'],
      numbers,
    ),
  });
}

/** The row whose channels have the most steps. */
function rasterRow(rows: readonly DoneRow[]): (DoneRow & { readonly raster: Raster }) | undefined {
  const has = (row: DoneRow): row is DoneRow & { readonly raster: Raster } => row.raster !== null;
  const most = (row: { readonly raster: Raster }): number => Math.max(...row.raster.steps);
  return rows.filter(has).toSorted((a, b) => most(b) - most(a))[0];
}

function rasterFigure({ method, raster }: DoneRow & { readonly raster: Raster }): Markup {
  const { layer, group, bits, steps, text } = raster;
  const trains = trainsOf(raster);
  const title = `The spikes of one token: ${method}`;
  const more =
    steps.length > RASTER_CHANNELS ? ` The first ${RASTER_CHANNELS} of ${steps.length} channels.` : '';
  const numbers = [...new Set(steps)]
    .toSorted((a, b) => a - b)
    .map((T) => {
      const own = trains.filter((_, channel) => steps[channel] === T);
      const fired = own.flat();
      const levels = fired.reduce((sum, level) => sum + level, 0);
      const silent = fired.filter((level) => level === 0).length / fired.length;
      const rate = levels / fired.length / (2 ** bits - 1);
      return [
        `T = ${T}`,
        String(own.length),
        (levels / own.length).toFixed(2),
        rate.toFixed(3),
        `${(100 * silent).toFixed(1)} %`,
      ];
    });
  return figure({
    title,
    said: `The input of ${groupName(group)} in layer ${layer}, at the last token of “${text.trim()}”. A column is a channel, a row a step, a colour how many of ${2 ** bits - 1} levels it emits; pale where a channel has a step and is silent. Channels without a second step have one row.${more}`,
    draw: (width) => drawRaster(title, raster, width),
    legend: rampLegend(rasterRamp(bits), 'levels', true),
    numbers: numbersTable(
      'Numbers of this plot',
      ['channels with', 'channels', 'levels', 'firing rate', 'silent steps'],
      numbers,
    ),
  });
}

function firing(rows: readonly DoneRow[]): Markup {
  const title = 'Firing rate per layer';
  const spiking = spikingRows(rows);
  const layers = spiking[0].operations.layers.map((_, layer) => `layer ${layer}`);
  const numbers = spiking.map(({ method, operations: { layers: own, total } }) => [
    method,
    ...[...own, total].map(({ firingRate }) => firingRate!.toFixed(3)),
  ]);
  return figure({
    title,
    said: `Levels emitted in a step over the most it could emit, a mean over the inputs of a layer. Codes are asymmetric, so an activation of zero fires too. ${SIMULATION_NOTE}`,
    draw: (width) => drawFiring(title, rows, width),
    legend: html``,
    numbers: numbersTable('Numbers of this plot', ['method', ...layers, 'all'], numbers),
  });
}

/** @param whole - whether values are whole numbers, so that a step ends one below the next */
function rampLegend({ from, colours }: Ramp, unit: string, whole = false): Markup {
  const items = from.map(
    (least, i) =>
      html`<li>
        <span style="background:${colours[i]}"></span>${
          i + 1 < from.length ? `${least} to ${from[i + 1] - (whole ? 1 : 0)}` : `${least} and more ${unit}`
        }
      </li>`,
  );
  return html`<ul class="legend">
    ${items}
  </ul>`;
}

interface Figure {
  readonly title: string;
  readonly said: string;
  readonly draw: (width: number) => string;
  readonly legend: Markup;
  readonly numbers: Markup;
}

/** A plot, drawn once for wide pages and once for narrow ones, and its numbers beside it. */
const figure = ({ title, said, draw, legend, numbers }: Figure): Markup =>
  html`<section>
    <h2>${title}</h2>
    <p class="soft">${said}</p>
    ${legend}
    <div class="figure">
      <figure>
        <div class="wide-plot">${raw(draw(WIDTHS.wide))}</div>
        <div class="narrow">${raw(draw(WIDTHS.narrow))}</div>
      </figure>
      ${numbers}
    </div>
  </section> `;
