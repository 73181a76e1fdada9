/** The report of a real comparison: one file that needs nothing else, with a table of numbers beside each plot. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SETTINGS } from '@spikellm/calibration';
import { parseHTML } from 'linkedom';
import { beforeAll, expect, test } from 'vitest';
import type { DoneRow } from '../src/compare/row.ts';
import { html } from '../src/report/markup.ts';
import { drawScatter, legendOf, lossOf } from '../src/report/scatter.ts';
import { spreadLabels } from '../src/report/svg.ts';
import { MODEL, run, scratch, TEXT } from './run.ts';

let printed = '';
let source = '';
let document: Document;

beforeAll(async () => {
  using folder = scratch();
  const report = join(folder.path, 'report.html');
  const tiny = [
    '--window',
    '32',
    '--max-windows',
    '2',
    '--samples',
    '2',
    '--cache',
    join(folder.path, 'cache'),
  ];
  const argv = ['compare', MODEL, '--text', TEXT, ...tiny, '--methods', 'float,rtn,rtn-t4', '--html', report];
  printed = (await run(...argv)).stdout;
  source = readFileSync(report, 'utf8');
  document = parseHTML(source).document;
}, 60_000);

test('is written, and the command says where', () => {
  expect(printed).toMatch(/\nreport: .*report\.html\n$/);
});

test('refers to nothing outside itself and runs nothing', () => {
  const addresses = source.match(/https?:[^\s"<]+/g) ?? [];
  expect(addresses.filter((found) => !found.startsWith('http://www.w3.org/'))).toEqual([]);
  expect(source).not.toMatch(
    /\b(src|srcset|href|xlink:href|data|action)\s*=|url\(|@import|<(script|link|iframe|img|object|base)\b/i,
  );
  expect(source).not.toMatch(/NaN|Infinity|undefined|\[object/);
});

test('is well formed: every element that is opened is closed', () => {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, close, name, rest] of source.matchAll(/<(\/?)([a-z][\w-]*)((?:"[^"]*"|[^>"])*)>/gi)) {
    if (name === 'meta' || rest.endsWith('/')) continue;
    if (close === '') open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  expect({ wrong, open }).toEqual({ wrong: [], open: [] });
});

test('has the plots of a paper, each drawn for wide and for narrow pages, with its numbers', () => {
  const sections = [...document.querySelectorAll('section')];
  expect(sections.map((section) => section.querySelector('h2')!.textContent)).toEqual([
    'Perplexity against true bits per weight',
    'Perplexity against ACE',
    'Saliency by layer and channel',
    'The spikes of one token: rtn-t4',
    'Firing rate per layer',
  ]);
  for (const section of sections) {
    const drawings = [...section.querySelectorAll('figure svg')];
    const title = section.querySelector('h2')!.textContent;
    expect(drawings.map((svg) => svg.getAttribute('aria-label'))).toEqual([title, title]);
    expect(drawings.map((svg) => svg.getAttribute('viewBox')!.split(' ')[2])).toEqual(['720', '350']);
    expect(section.querySelectorAll('table tbody tr').length).toBeGreaterThan(1);
  }
  const count = (section: number, marks: string): number =>
    sections[section].querySelectorAll(`.wide-plot ${marks}`).length;
  expect(count(0, '[aria-label="dot"] > *')).toBe(3);
  // Five layers, four inputs each, 96 bins.
  expect(count(2, '[aria-label="bar"] rect')).toBe(5 * 4 * 96);
});

test('says where the numbers stand what they are not', () => {
  const note = document.querySelector('.estimate')!.textContent;
  expect(note).toContain('Energy is an estimate');
  expect(note).toContain('Dense hardware, this machine among it, simulates spikes');
  expect(document.querySelector('.scroll')!.querySelectorAll('tbody tr').length).toBe(3);
});

test('text is text, not markup', () => {
  expect(html`<p title="${'"'}">${'<script>&'}</p>`.html).toBe('<p title="&quot;">&lt;script&gt;&amp;</p>');
});

const SCALE = { domain: [0, 100], log: false, height: 200, top: 0, bottom: 0 } as const;
const spreadAt = (...heights: number[]): number[] =>
  spreadLabels(
    heights.map((y) => ({ label: String(y), y })),
    SCALE,
  ).map(({ at }) => at);

test('labels at the edge keep their order, do not touch and do not leave the frame', () => {
  const heights = [50, 50, 49, 1, 0];
  const spread = spreadLabels(
    heights.map((y) => ({ label: String(y), y })),
    SCALE,
  );
  expect(spread.map(({ y }) => y)).toEqual(heights);
  // 2 pixels a unit, 15 pixels a line.
  for (let i = 1; i < spread.length; i++)
    expect(spread[i - 1].at - spread[i].at).toBeGreaterThanOrEqual(7.5 - 1e-9);
  expect(spread.at(-1)!.at).toBeCloseTo(0, 9);
});

test('labels stay where they have room, and crowded ones move as little as they can', () => {
  expect(spreadAt(90, 50, 10)).toEqual([90, 50, 10].map((y) => expect.closeTo(y, 9)));
  expect(spreadAt(90, 50, 50)).toEqual([90, 53.75, 46.25].map((y) => expect.closeTo(y, 9)));
  expect(spreadAt(100, 100)).toEqual([100, 92.5].map((y) => expect.closeTo(y, 9)));
});

/** A row as far as a scatter plot looks at it. */
const rowOf = (method: string, perplexity: number, more: Partial<DoneRow> = {}): DoneRow =>
  ({
    method,
    settings: method === 'float' ? null : DEFAULT_SETTINGS,
    baseline: null,
    evaluation: { perplexity },
    bitsPerWeight: method === 'float' ? 16 : 4,
    averageWeightSteps: null,
    averageSteps: method === 'float' ? null : 1,
    ...more,
  }) as DoneRow;
const BILLM: Partial<DoneRow> = {
  settings: null,
  baseline: { method: { name: 'billm' }, damping: 0.01 },
  averageSteps: null,
  averageWeightSteps: 1.1,
};
const axisOf = (rows: readonly DoneRow[]) => {
  const { label, of, log, rows: drawn } = lossOf(rows);
  return { label, log, drawn: drawn.map((row) => [row.method, of(row)]) };
};

test('heights are perplexities while those differ little', () => {
  expect(axisOf([rowOf('float', 28), rowOf('rtn', 31), rowOf('gptq', 30)])).toEqual({
    label: 'perplexity',
    log: false,
    drawn: [
      ['float', 28],
      ['rtn', 31],
      ['gptq', 30],
    ],
  });
});

test('a method that is far worse does not hide what others lose: heights are losses to float on a log scale', () => {
  const rows = [rowOf('float', 5.5), rowOf('rtn', 8), rowOf('billm', 220.5, BILLM)];
  expect(axisOf(rows)).toEqual({
    label: 'perplexity above float, 5.50 (log scale)',
    log: true,
    drawn: [
      ['rtn', 2.5],
      ['billm', 215],
    ],
  });
  // Nothing that is below the float model has a place there, nor anything without a float model.
  expect(axisOf([...rows, rowOf('lucky', 5)])).toMatchObject({ label: 'perplexity (log scale)', log: true });
  expect(axisOf(rows.slice(1))).toMatchObject({ label: 'perplexity (log scale)', log: true });
});

test('bits are on a log scale beside a float model, with ticks between its and theirs', () => {
  const measure = {
    title: 'bits',
    label: 'bits',
    of: (row: DoneRow) => row.bitsPerWeight,
    ticks: [4, 8, 16],
  };
  const ticksOf = (rows: readonly DoneRow[]): string[] => {
    const { document: drawn } = parseHTML(drawScatter(rows, measure, 720));
    return [...drawn.querySelectorAll('[aria-label="x-axis tick label"] text')].map(
      ({ textContent }) => textContent,
    );
  };
  expect(ticksOf([rowOf('float', 28), rowOf('rtn', 31)])).toEqual(['4', '8', '16']);
  expect(ticksOf([rowOf('rtn', 30), rowOf('gptq', 29)])).toContain('0');
});

test('points say what a method is', () => {
  const ternary = rowOf('ternary', 30, { averageWeightSteps: 1.4, averageSteps: 1.1 });
  const rows = [rowOf('float', 28), rowOf('rtn', 31), rowOf('t2', 30, { averageSteps: 1.1 }), ternary];
  expect(legendOf([...rows, rowOf('billm', 35, BILLM)]).map(({ name }) => name)).toEqual([
    'baselines, weights only',
    'ternary weights',
    'float activations',
    'one step everywhere',
    'more steps for salient channels',
  ]);
  // The float model is not drawn, so nothing explains its symbol.
  expect(legendOf([rowOf('float', 28), rowOf('rtn', 28.1), rowOf('billm', 200, BILLM)]).length).toBe(2);
});
