import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import golden from '../../../tooling/golden/numbers/tales.json' with { type: 'json' };
import { noChromium, servePlayground, type Playground } from './playground.ts';

/** A prompt whose greedy continuation is known. */
const [{ prompt, greedy_text: said }] = golden.prompts;

/** The texts that a page writes on all of its backends: rows of backend, model, agreement and text. */
async function writeOnAll(page: Page): Promise<string[][]> {
  await page.getByLabel('Prompt').fill(prompt);
  await page.getByRole('button', { name: 'Write on all' }).click();
  const rows = page.locator('section', { hasText: 'The same text everywhere' }).locator('tbody tr');
  await expect.poll(() => rows.count(), { timeout: 50_000, interval: 250 }).toBe(5);
  return rows.evaluateAll((found) =>
    found.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')),
  );
}

describe.skipIf(noChromium)('backends', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await servePlayground({ headers: true });
  });
  afterAll(() => playground[Symbol.asyncDispose]());

  it('writes the same text on all of them, which is the known one', async () => {
    await using opened = await playground.open('#/backends');
    const rows = await writeOnAll(opened.page);
    expect(rows.map(([variant, side, agreement]) => [variant, side, agreement])).toEqual(
      ['wasm', 'wasm-one-thread', 'wasm-simd128', 'webgpu', 'reference'].map((name) => [
        name,
        'float',
        'same',
      ]),
    );
    const known = said.slice(prompt.length).trim().replaceAll(/\s+/g, ' ');
    for (const [, , , text] of rows) expect(known.startsWith(text.trim().replaceAll(/\s+/g, ' '))).toBe(true);
    expect(opened.faults).toEqual([]);
  });

  it('opens the backend that the URL names, and another by a click', async () => {
    await using opened = await playground.open('#/backends?backend=webgpu');
    const { page } = opened;
    await page.getByText(/WebGPU in software .*, chosen by hand/).waitFor();
    await page.getByLabel('WebAssembly on one thread').check();
    await page.getByText(/WebAssembly .* on one thread, chosen by hand/).waitFor();
    expect(page.url()).toContain('backend=wasm-one-thread');
    await page.reload();
    await page.getByText(/WebAssembly .* on one thread, chosen by hand/).waitFor();
    expect(await page.getByLabel('WebAssembly on one thread').isChecked()).toBe(true);
    expect(opened.faults).toEqual([]);
  });

  it('measures one, and gives the figures as JSON', async () => {
    await using opened = await playground.open('#/backends');
    const { page } = opened;
    await page.getByLabel('wasm', { exact: true }).uncheck();
    await page.getByRole('button', { name: 'Measure' }).click();
    const download = page.waitForEvent('download', { timeout: 50_000 });
    await page.getByRole('button', { name: 'Save as JSON' }).click({ timeout: 50_000 });
    const report = JSON.parse(await readFile(await (await download).path(), 'utf8'));
    expect(report).toMatchObject({ isolated: true, model: { name: 'tales', parameters: 3_967_744 } });
    expect(report.results).toHaveLength(1);
    const [{ variant, decode, prompt: prompted, stream }] = report.results;
    expect(variant).toBe('wasm-one-thread');
    for (const value of [decode, prompted, stream.median]) expect(value).toBeGreaterThan(0);
    expect(opened.faults).toEqual([]);
  });
});
