/** Draws docs/playground anew: SPIKELLM_SCREENSHOTS=1 npx vitest run test/screenshots.test.ts */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noChromium, servePlayground, type Playground } from './playground.ts';

const folder = fileURLToPath(new URL('../../../docs/playground/', import.meta.url));
const wanted = process.env.SPIKELLM_SCREENSHOTS !== undefined;
const TIMEOUT = 120_000;

/** What each room has done when its picture is taken. */
const ROOMS: Record<string, (page: Page) => Promise<void>> = {
  'neuron-lab': async (page) => {
    await page.getByRole('heading', { name: 'Membrane and spikes' }).waitFor();
  },
  calibrate: async (page) => {
    await page.getByRole('button', { name: 'Calibrate and measure' }).click({ timeout: TIMEOUT });
    await page.locator('tr[data-model=spiking] td', { hasText: /\d/ }).first().waitFor({ timeout: TIMEOUT });
    await page.locator('.working').waitFor({ state: 'hidden', timeout: TIMEOUT });
  },
  speak: async (page) => {
    await page.getByRole('button', { name: 'Speak', exact: true }).click({ timeout: TIMEOUT });
    await page.locator('[data-ending]').nth(1).waitFor({ timeout: TIMEOUT });
    await page.locator('.live-bytes').waitFor({ timeout: TIMEOUT });
    await page.locator('[aria-busy=true]').waitFor({ state: 'detached', timeout: TIMEOUT });
  },
  backends: async (page) => {
    await page.getByRole('button', { name: 'Measure' }).click({ timeout: TIMEOUT });
    await page.getByRole('button', { name: 'Save as JSON' }).waitFor({ timeout: TIMEOUT });
    await page.locator('.working').waitFor({ state: 'hidden', timeout: TIMEOUT });
  },
};
const VIEWS = [
  { name: 'wide', width: 1280, height: 900 },
  { name: 'narrow', width: 390, height: 844 },
];

describe.skipIf(noChromium)('pictures of the rooms', () => {
  let playground: Playground | undefined;
  beforeAll(async () => {
    if (wanted) playground = await servePlayground({ headers: true });
  });
  afterAll(() => playground?.[Symbol.asyncDispose]());

  for (const [room, prepare] of Object.entries(ROOMS)) {
    for (const { name, ...size } of VIEWS) {
      for (const dark of [false, true]) {
        const colours = dark ? 'dark' : 'light';
        it(`${room}, ${name}, ${colours}`, { timeout: 5 * TIMEOUT }, async ({ skip }) => {
          skip(!wanted, 'the pictures are drawn only with SPIKELLM_SCREENSHOTS=1');
          await using opened = await playground!.open(`#/${room}`, { ...size, dark });
          await opened.page.locator('footer').getByText('3.97M parameters').waitFor({ timeout: TIMEOUT });
          await prepare(opened.page);
          await opened.page.evaluate(() => scrollTo(0, 0));
          await opened.page.screenshot({ path: `${folder}${room}-${name}-${colours}.png` });
          expect(opened.faults).toEqual([]);
        });
      }
    }
  }
});
