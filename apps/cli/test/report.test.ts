/** The report of a real comparison: one file that needs nothing else, with a table of numbers beside each plot. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { beforeAll, expect, test } from 'vitest';
import { html } from '../src/report/markup.ts';
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

test('labels at the edge keep their order and do not touch', () => {
  const scale = { domain: [0, 100], log: false, height: 200, top: 0, bottom: 0 } as const;
  const labels = [50, 50, 49, 1, 0].map((y) => ({ label: String(y), y }));
  const spread = spreadLabels(labels, scale);
  expect(spread.map(({ y }) => y)).toEqual([50, 50, 49, 1, 0]);
  // 2 pixels a unit, 15 pixels a line.
  for (let i = 1; i < spread.length; i++)
    expect(spread[i - 1].at - spread[i].at).toBeGreaterThanOrEqual(7.5 - 1e-9);
  expect(spread.at(-1)!.at).toBeCloseTo(0, 9);
  expect(spread[0].at).toBeCloseTo(50, 9);
});
