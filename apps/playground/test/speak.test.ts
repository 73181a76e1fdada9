import { generateText } from '@spikellm/graph';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { divergenceOf, logProbabilities } from '../src/engine/likelihood.ts';
import { overflow, seriousViolations } from './accessibility.ts';
import { openInNode, type NodeModels } from './in-node.ts';
import { noChromium, servePlayground, type Playground } from './playground.ts';

const PROMPT = 'The fox said to the crow that';
const SAMPLES = 2;
/** A URL of the room. */
const at = (options: Readonly<Record<string, string>>): string =>
  `#/speak?${new URLSearchParams({ prompt: PROMPT, samples: String(SAMPLES), ...options })}`;

const SPOKEN = { timeout: 60_000 };
const speakButton = (page: Page) => page.getByRole('button', { name: 'Speak', exact: true });
const promptOf = (page: Page) => page.getByRole('textbox', { name: 'Prompt' });
const listOf = (page: Page, side: string) =>
  page.getByRole('listbox', { name: `Tokens of the ${side} text` });
const tokensOf = (page: Page, side: string) => listOf(page, side).getByRole('option');
/** What was said to the last prompt. */
const said = async (page: Page, side: string): Promise<string> =>
  (await listOf(page, side).textContent())!.replaceAll('↵', '');
const ended = (page: Page, ending: string) => page.locator(`[data-ending=${ending}]`).nth(1).waitFor(SPOKEN);
/** Speaks until the texts have ended. */
async function reply(page: Page): Promise<void> {
  const last = await page.locator('.texts').getAttribute('data-reply');
  await speakButton(page).click(SPOKEN);
  await page.locator(`[data-reply]:not([data-reply="0"], [data-reply="${last}"])`).waitFor(SPOKEN);
  await ended(page, 'length');
}
/** As `reply`, and waits until the worker has looked at all there is. */
async function speak(page: Page): Promise<void> {
  await reply(page);
  await page.locator('.live-bytes').waitFor();
  await page.locator('[aria-busy=true]').waitFor({ state: 'detached' });
}

describe.skipIf(noChromium)('speak', () => {
  let isolated: Playground;
  let alone: Playground;
  let node: NodeModels;
  beforeAll(async () => {
    isolated = await servePlayground({ headers: true });
    alone = await servePlayground();
    node = await openInNode(SAMPLES);
  }, 60_000);
  afterAll(async () => {
    await isolated[Symbol.asyncDispose]();
    await alone[Symbol.asyncDispose]();
    node[Symbol.dispose]();
  });

  /** The greedy text of a model in Node. */
  async function expected(side: 'float' | 'spiking', maxTokens: number): Promise<string> {
    const prompt = node.tokenizer.encode(PROMPT);
    const detokenizer = node.tokenizer.stream();
    for (const id of prompt) detokenizer.push(id);
    let text = '';
    for await (const piece of generateText(node[side], prompt, { detokenizer, maxTokens }))
      text += piece.text;
    return text;
  }

  it('says what the packages say in Node', async () => {
    await using opened = await isolated.open(at({ backend: 'wasm-simd128', tokens: '64' }));
    await speak(opened.page);
    expect(await said(opened.page, 'float')).toBe(await expected('float', 64));
    expect(await said(opened.page, 'spiking')).toBe(await expected('spiking', 64));
    expect(opened.faults).toEqual([]);
  });

  // Node has no relaxed SIMD, whose fused sums may round an activation to the next code, and so may those of a GPU: there
  // the float text is Node's, and the spiking one that of the same instructions on one thread.
  it('says the same on threads and on one thread', async () => {
    await using threads = await isolated.open(at({ tokens: '64' }));
    await using one = await alone.open(at({ tokens: '64' }), { alone: true });
    await speak(threads.page);
    await speak(one.page);
    expect(await said(threads.page, 'float')).toBe(await expected('float', 64));
    expect(await said(one.page, 'float')).toBe(await expected('float', 64));
    expect(await said(one.page, 'spiking')).toBe(await said(threads.page, 'spiking'));
    expect([...threads.faults, ...one.faults]).toEqual([]);
  });

  it('goes on with the same models on WebGPU', async () => {
    await using opened = await isolated.open(at({ tokens: '6' }));
    const { page } = opened;
    await speak(page);
    await page.evaluate((hash) => (location.hash = hash), at({ tokens: '6', backend: 'webgpu' }));
    await page.getByRole('contentinfo').getByText('WebGPU').waitFor();
    await speak(page);
    expect(await said(page, 'float')).toBe(await expected('float', 6));
    expect(await tokensOf(page, 'spiking').count()).toBe(6);
    expect(opened.faults).toEqual([]);
  }, 90_000);

  it('says how likely each token was to both models, and how far they are apart', async () => {
    await using opened = await isolated.open(at({ backend: 'wasm-simd128', tokens: '6' }));
    const { page } = opened;
    await speak(page);
    const ids = node.tokenizer.encode(PROMPT + (await said(page, 'float')));
    const labels = await tokensOf(page, 'float').evaluateAll((tokens) =>
      tokens.map((token) => token.getAttribute('aria-label')!),
    );
    const logs = {
      float: await distributions(node, 'float', ids),
      spiking: await distributions(node, 'spiking', ids),
    };
    labels.forEach((label, i) => {
      const [, kl, float, spiking] = /KL ([\d.]+) nats, float ([\d.]+) %, spiking ([\d.]+) %/
        .exec(label)!
        .map(Number);
      const place = ids.length - labels.length + i;
      const [p, q] = [logs.float[place - 1], logs.spiking[place - 1]];
      // As many digits as are shown.
      expect(Math.abs(kl - divergenceOf(p, q))).toBeLessThan(0.06 * kl);
      expect(Math.abs(float / 100 - Math.exp(p[ids[place]]))).toBeLessThan(0.0055);
      expect(Math.abs(spiking / 100 - Math.exp(q[ids[place]]))).toBeLessThan(0.0055);
    });
  });

  it('shows expectations, spikes and rates of the token under the focus, by keys and by the pointer', async () => {
    await using opened = await isolated.open(at({ tokens: '12' }));
    const { page } = opened;
    await speak(page);
    const caption = page.getByText(/^Token \d+ of the/);
    await expect.poll(() => caption.innerText()).toContain('Token 1 of the spiking text');
    await tokensOf(page, 'float').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await caption.innerText()).toContain('Token 3 of the float text');
    await page.keyboard.press('ArrowDown');
    expect(await caption.innerText()).toContain('Token 3 of the spiking text');
    await page.keyboard.press('End');
    expect(await caption.innerText()).toContain('Token 12 of the spiking text');
    expect(await page.locator('.spoken [tabindex="0"]').count()).toBe(2);
    await tokensOf(page, 'float').nth(4).hover();
    expect(await caption.innerText()).toContain('Token 5 of the float text');
    for (const side of ['float', 'spiking']) {
      const shares = await page.locator(`.likeliest.${side} td`).allInnerTexts();
      expect(shares.filter((share) => share.endsWith('%')).length).toBeGreaterThanOrEqual(5);
    }
    expect(await page.locator('.rasters svg').count()).toBe(5);
    await page
      .getByRole('img', { name: /^Spike raster of 640 channels over the time steps of 5 layers/ })
      .waitFor();
    await page.getByRole('img', { name: /^layer 0 \d+\.\d %, layer 1/ }).waitFor();
    expect(opened.faults).toEqual([]);
  });

  it('counts operations, and prices them with the constants of the reader', async () => {
    await using opened = await isolated.open(at({ tokens: '4' }));
    const { page } = opened;
    await speak(page);
    await page.getByText('simulates spikes').waitFor();
    const memory = page
      .getByRole('row', { name: /^memory/ })
      .getByRole('cell')
      .first();
    const before = await memory.innerText();
    await page.getByText('Constants of the estimate').click();
    const byte = page.getByRole('spinbutton', { name: 'a byte of weights' });
    await byte.fill('16');
    await byte.press('Enter');
    await expect.poll(() => memory.innerText()).not.toBe(before);
    expect(Number.parseFloat(await memory.innerText())).toBeLessThan(Number.parseFloat(before));
    expect(page.url()).toContain('energy=');
    await page.getByRole('button', { name: 'Reset' }).click();
    await expect.poll(() => memory.innerText()).toBe(before);
    expect(page.url()).not.toContain('energy=');
  });

  it('draws the same text from the same seed, another from another, and keeps it all in the URL', async () => {
    await using opened = await isolated.open(
      at({ tokens: '16', temperature: '1', 'top-k': '50', draw: '7' }),
    );
    const { page } = opened;
    await speak(page);
    const first = await said(page, 'float');
    await speak(page);
    expect(await said(page, 'float')).toBe(first);
    await page.getByLabel('Seed').fill('8');
    await page.getByLabel('Seed').press('Tab');
    await speak(page);
    expect(await said(page, 'float')).not.toBe(first);
    await page.reload();
    expect(await promptOf(page).inputValue()).toBe(PROMPT);
    expect(await page.getByLabel('Seed').inputValue()).toBe('8');
    expect(await page.getByLabel('Top k').inputValue()).toBe('50');
    expect(await page.getByLabel('Temperature').inputValue()).toBe('1');
  });

  it('stops in the middle, keeps the text, copies it, and speaks again', async () => {
    await using opened = await isolated.open(at({ tokens: '200' }));
    const { page } = opened;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await speakButton(page).click(SPOKEN);
    await tokensOf(page, 'spiking').nth(3).waitFor(SPOKEN);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await ended(page, 'stopped');
    const text = await said(page, 'spiking');
    expect(text.length).toBeGreaterThan(0);
    expect(await tokensOf(page, 'spiking').count()).toBeLessThan(200);
    await page.getByText('; stopped').first().waitFor();
    await page.getByRole('button', { name: 'Copy the spiking text' }).click();
    await page.getByText('Copied').waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(PROMPT + text);
    await page.getByLabel('Tokens of each text').fill('3');
    await page.getByLabel('Tokens of each text').press('Tab');
    await speak(page);
    expect(await tokensOf(page, 'spiking').count()).toBe(3);
    expect(opened.faults).toEqual([]);
  });

  it('says in one sentence that a prompt is missing or too long', async () => {
    await using opened = await isolated.open(at({ tokens: '4' }));
    const { page } = opened;
    await promptOf(page).fill('  ');
    await speakButton(page).click(SPOKEN);
    await page.getByRole('alert').filter({ hasText: 'Write a prompt first' }).waitFor();
    await promptOf(page).fill('fox '.repeat(300));
    await speakButton(page).click();
    const tooLong = 'prompt: expected 1 to 255 tokens, the context of the model less one';
    await page.getByRole('alert').filter({ hasText: tooLong }).waitFor(SPOKEN);
    await promptOf(page).fill(PROMPT);
    await speak(page);
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(opened.faults).toEqual([]);
  });

  it('holds as much memory after 50 replies as after the first', async () => {
    await using opened = await isolated.open(at({ tokens: '3' }));
    const { page } = opened;
    const held = async (): Promise<number[]> =>
      page
        .locator('data.live-bytes, data.wasm-bytes')
        .evaluateAll((all) => all.map((data) => Number((data as HTMLDataElement).value)));
    await speak(page);
    const [live, wasm] = await held();
    expect(live).toBeGreaterThan(1e7);
    const cdp = await page.context().newCDPSession(page);
    const heap = async (): Promise<number> => {
      await cdp.send('HeapProfiler.collectGarbage');
      return (await cdp.send('Runtime.getHeapUsage')).usedSize;
    };
    const before = await heap();
    for (let replies = 2; replies < 50; replies++) await reply(page);
    await speak(page);
    expect(await held()).toEqual([live, wasm]);
    expect(await heap()).toBeLessThan(before + 2e6);
    expect(opened.faults).toEqual([]);
  }, 60_000);

  it.each([
    ['light', false],
    ['dark', true],
  ] as const)('is accessible in %s colours, and fits a phone', async (_, dark) => {
    await using opened = await isolated.open(at({ tokens: '12' }), { dark, width: 390, height: 844 });
    const { page } = opened;
    expect(await seriousViolations(page)).toEqual([]);
    await speak(page);
    await page.getByText('Constants of the estimate').click();
    expect(await seriousViolations(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
  });
});

/** ln p of every token after each of these, [N][V]. */
async function distributions(
  models: NodeModels,
  side: 'float' | 'spiking',
  ids: number[],
): Promise<Float64Array[]> {
  const decoder = models[side];
  using cache = decoder.createCache(ids.length);
  using logits = decoder.forward(ids, cache, { logits: 'all' });
  const data = (await decoder.backend.read(logits)).data as Float32Array;
  const size = decoder.config.vocabularySize;
  return ids.map((__, i) => logProbabilities(data.subarray(i * size, (i + 1) * size)));
}
