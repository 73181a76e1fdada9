import { readFile } from 'node:fs/promises';
import {
  bitsPerActivation,
  count,
  gifNeuron,
  gifSequence,
  halfLevel,
  hardReset,
  ifNeuron,
  ifSequence,
  lifNeuron,
  lifSequence,
  mergedBits,
  softReset,
  ternaryNeuron,
  ternarySequence,
  type Reset,
  type Trace,
} from '@spikellm/neurons';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overflow, seriousViolations } from './accessibility.ts';
import { noChromium, servePlayground, type Playground } from './playground.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
/** A number as the page writes it. */
const numberOf = (text: string): number => Number(text.replace('−', '-'));

const typed = (page: Page) => page.getByRole('textbox', { name: 'As numbers' });
const bar = (page: Page, step: number) =>
  page.getByRole('slider', { name: `Input at step ${step}`, exact: true });
const numbersOf = async (page: Page): Promise<number[]> =>
  (await typed(page).inputValue()).split(' ').map(Number);

/** The spikes that the drawing of a neuron is described with. */
async function spikesOf(page: Page, neuron: string): Promise<number[]> {
  const drawing = page.getByRole('img', { name: `Membrane and spikes of the ${neuron} neuron` });
  const [, spikes] = (await drawing.getAttribute('aria-label'))!.split('steps: ');
  return spikes.split(' ').map(numberOf);
}

/** The numbers of one row of a table. */
const row = async (page: Page, name: string): Promise<number[]> => {
  const cells = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
  return (await cells.first().getByRole('cell').allTextContents()).map(numberOf);
};

/** What the page says of a neuron, beside what the package says. */
async function expectNeuron(
  page: Page,
  neuron: string,
  inputs: readonly number[],
  trace: Trace,
  theta: number,
) {
  expect(await spikesOf(page, neuron), neuron).toEqual(trace.spikes);
  const [fired, silent, received, sent, membrane, lost] = await row(page, neuron);
  expect(fired).toBe(sum(trace.spikes.map(Math.abs)));
  expect(silent).toBe(trace.spikes.filter((spikes) => spikes === 0).length);
  expect(received).toBeCloseTo(sum(inputs), 3);
  expect(sent).toBeCloseTo(theta * count(trace.spikes), 3);
  expect(membrane).toBeCloseTo(trace.state.membrane, 3);
  const start = neuron === 'Ternary GIF' ? 0 : theta / 2;
  expect(lost).toBeCloseTo(start + sum(inputs) - theta * count(trace.spikes) - trace.state.membrane, 3);
}

describe.skipIf(noChromium)('the neuron lab', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await servePlayground();
  });
  afterAll(() => playground[Symbol.asyncDispose]());

  const open = async (query = '', options = {}) => {
    // Its numbers need no threads, so no service worker reloads the page under the hands of a test.
    const opened = await playground.open(`#/neuron-lab${query}`, { alone: true, ...options });
    await opened.page.getByRole('heading', { level: 1, name: 'Neuron lab' }).waitFor();
    return opened;
  };

  it('fires as the neurons of the package do', async () => {
    await using opened = await open();
    const { page } = opened;
    const inputs = await numbersOf(page);
    expect(inputs).toHaveLength(16);
    await expectNeuron(page, 'IF', inputs, ifSequence(inputs, ifNeuron()), 1);
    await expectNeuron(page, 'GIF', inputs, gifSequence(inputs, gifNeuron({ levels: 3 })), 1);
    await expectNeuron(page, 'Ternary GIF', inputs, ternarySequence(inputs, ternaryNeuron()), 1);
    expect(opened.faults).toEqual([]);
  });

  it('fires as they do with a hard reset, on seeded noise', async () => {
    await using opened = await open('?input=noise&seed=1&T=24&L=3&theta=0.5&reset=hard');
    const { page } = opened;
    const inputs = await numbersOf(page);
    expect(inputs).toHaveLength(24);
    const options = { threshold: 0.5, reset: hardReset };
    await expectNeuron(page, 'IF', inputs, ifSequence(inputs, ifNeuron(options)), 0.5);
    await expectNeuron(page, 'GIF', inputs, gifSequence(inputs, gifNeuron({ levels: 3, ...options })), 0.5);
    await expectNeuron(page, 'Ternary GIF', inputs, ternarySequence(inputs, ternaryNeuron(options)), 0.5);
    // Charge is gone, and the page says so; with a soft reset it would be 0.
    const [, , , , , lost] = await row(page, 'GIF');
    expect(lost).toBeGreaterThan(0);
    expect(opened.faults).toEqual([]);
  });

  it('is the LIF neuron of the package with a leak', async () => {
    await using opened = await open('?input=ramp&leak=0.25');
    const inputs = await numbersOf(opened.page);
    const neuron = lifNeuron({ decay: 0.75 });
    await expectNeuron(opened.page, 'LIF', inputs, lifSequence(inputs, neuron, halfLevel(neuron)), 1);
    expect(opened.faults).toEqual([]);
  });

  it('takes an input that is drawn, and has it after a reload', async () => {
    await using opened = await open('?input=constant');
    const { page } = opened;
    const before = await numbersOf(page);
    const box = (await page.getByRole('group', { name: /^Input current/ }).boundingBox())!;
    const at = (step: number, value: number): [number, number] => [
      box.x + (box.width * (step - 0.5)) / 16,
      box.y + (box.height * (4 - value)) / 6,
    ];
    await page.mouse.move(...at(3, 0.625));
    await page.mouse.down();
    await page.mouse.move(...at(3, 2.5), { steps: 4 });
    await page.mouse.move(...at(4, -1.25), { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(...at(9, 3));
    const drawn = before.with(2, 2.5).with(3, -1.25);
    // On the way from one to the other the pointer drew a little on both.
    const after = await numbersOf(page);
    expect(after[3]).toBe(-1.25);
    expect(after[2]).not.toBe(before[2]);
    expect(after.with(2, 2.5)).toEqual(drawn);
    await expectNeuron(page, 'GIF', after, gifSequence(after, gifNeuron({ levels: 3 })), 1);

    await page.reload();
    await bar(page, 4).waitFor();
    expect(await numbersOf(page)).toEqual(after);
    expect(opened.faults).toEqual([]);
  });

  it('keeps what its URL says while the page is isolated by a reload', async () => {
    await using opened = await open('?T=5&input=ramp', { alone: false });
    await opened.page.waitForFunction(() => crossOriginIsolated);
    await bar(opened.page, 5).waitFor();
    expect(await bar(opened.page, 6).count()).toBe(0);
    expect(opened.page.url()).toMatch(/#\/neuron-lab\?T=5&input=ramp$/);
    expect(opened.faults).toEqual([]);
  });

  it('takes an input from the keyboard', async () => {
    await using opened = await open('?input=constant&T=4');
    const { page } = opened;
    await bar(page, 1).focus();
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowRight', 'PageDown', 'ArrowRight', 'ArrowRight', 'End']) {
      await page.keyboard.press(key);
    }
    expect(await numbersOf(page)).toEqual([0.875, -0.375, 0.625, 4]);
    expect(await bar(page, 4).getAttribute('aria-valuenow')).toBe('4');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
      'Input at step 4',
    );
    expect(opened.faults).toEqual([]);
  });

  it('takes numbers that are typed, and answers nonsense with one sentence', async () => {
    await using opened = await open();
    const { page } = opened;
    await typed(page).fill('1, 2.5 -0.5');
    await typed(page).press('Enter');
    await bar(page, 3).waitFor();
    expect(await bar(page, 4).count()).toBe(0);
    expect(await spikesOf(page, 'GIF')).toEqual(gifSequence([1, 2.5, -0.5], gifNeuron({ levels: 3 })).spikes);
    const url = page.url();

    for (const [nonsense, fault] of [
      ['1 two 3', '"two"'],
      ['1 5', '"5"'],
      ['', 'none'],
      ['0 '.repeat(33), '33 of them'],
    ]) {
      await typed(page).fill(nonsense);
      await typed(page).press('Enter');
      const said = `Expected 1 to 32 numbers from −2 to 4, separated by spaces, but found ${fault}; the input above is as it was.`;
      await page.getByRole('alert').filter({ hasText: said }).waitFor();
      expect(await page.getByRole('alert').count()).toBe(1);
      expect(await typed(page).inputValue()).toBe(nonsense);
      expect(await bar(page, 2).getAttribute('aria-valuenow')).toBe('2.5');
      expect(page.url()).toBe(url);
    }
    // The arrow keys give the field a sequence again.
    await bar(page, 1).focus();
    await page.keyboard.press('ArrowUp');
    await page.getByRole('alert').waitFor({ state: 'detached' });
    expect(await numbersOf(page)).toEqual([1.125, 2.5, -0.5]);
    expect(opened.faults).toEqual([]);
  });

  it('goes step by step, and says what each one does', async () => {
    await using opened = await open('?input=own&x=0.75+1.875&T=2&step=0');
    const { page } = opened;
    const saying = (text: string) => page.getByText(text, { exact: true });
    await saying('Before the first step the membrane rests at 0.').waitFor();
    await page.getByRole('button', { name: 'Step forward' }).click();
    await saying(
      'Step 1: membrane 0.5 + input 0.75 = 1.25 ≥ threshold 1: spike, soft reset to 0.25.',
    ).waitFor();
    expect(page.url()).toContain('step=1');
    await page.getByRole('button', { name: 'Play' }).click();
    await saying(
      'Step 2: membrane 0.25 + input 1.875 = 2.125 ≥ 2 × threshold 1: spike of level 2, soft reset to 0.125.',
    ).waitFor();
    await page.getByRole('button', { name: 'Play' }).waitFor();
    await page.getByLabel('Reset').selectOption({ label: 'hard: 0' });
    await saying(
      'Step 2: membrane 0 + input 1.875 = 1.875 ≥ threshold 1: spike of level 1, hard reset to 0.',
    ).waitFor();
    await page.getByRole('button', { name: 'Step back' }).click();
    await saying(
      'Step 1: membrane 0 + input 0.75 = 0.75 ≥ half the threshold, 0.5: spike of 1, hard reset to 0.',
    ).waitFor();
    // Nothing plays by itself for readers who want things still.
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.getByRole('button', { name: 'Play' }).waitFor({ state: 'detached' });
    expect(opened.faults).toEqual([]);
  });

  it('decodes as the uniform quantiser does, but not with a hard reset', async () => {
    await using opened = await open('?T=6&L=3&theta=0.75');
    const { page } = opened;
    const verdict = page.getByText(/^Largest \|difference\|/);
    /** Everything in the table of the figure, worked out again. */
    const again = async (reset: Reset) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'CSV of GIF and the uniform quantiser' }).click(),
      ]);
      const [header, ...lines] = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
      expect(header).toBe('x,decoded,uniform,difference,spikes');
      const neuron = gifNeuron({ levels: 3, threshold: 0.75, reset });
      const differences = lines.map((line) => {
        const [x, decoded, uniform, difference] = line.split(',').map(Number);
        const { spikes } = gifSequence(
          Array.from({ length: 6 }, () => x),
          neuron,
        );
        const code = Math.min(18, Math.max(0, Math.floor((6 * x) / 0.75 + 0.5)));
        expect(decoded).toBe((0.75 / 6) * count(spikes));
        expect(uniform).toBe((0.75 / 6) * code);
        expect(difference).toBe(decoded - uniform);
        return Math.abs(difference);
      });
      const differing = differences.filter((difference) => difference > 0).length;
      return { values: lines.length, largest: Math.max(...differences), share: differing / lines.length };
    };

    const soft = await again(softReset);
    expect(soft.largest).toBe(0);
    expect(await verdict.textContent()).toBe(
      `Largest |difference| over ${soft.values} values: 0, exactly: every value gets the same code from both.`,
    );

    await page.getByRole('button', { name: 'See where hard reset breaks it' }).click();
    await verdict.filter({ hasNotText: 'exactly' }).waitFor();
    const hard = await again(hardReset);
    expect(hard.largest).toBeGreaterThan(0);
    const said = await verdict.textContent();
    expect(said).toContain(`over ${hard.values} values: ${hard.largest}, ${(hard.largest * 6) / 0.75} steps`);
    expect(said).toContain(
      `${Number((100 * hard.share).toFixed(1))} % of the values get another code: a hard reset`,
    );
    await page.getByRole('button', { name: 'Back to soft reset' }).click();

    // T - 1 codes of the saturating range are beyond what the spikes carry.
    await page.getByLabel('Range of codes').selectOption('saturating');
    await verdict.filter({ hasText: '5 steps of the quantiser' }).waitFor();
    expect(opened.faults).toEqual([]);
  });

  it('shows values under the pointer, and gives a drawing away', async () => {
    await using opened = await open('?input=own&x=0.75+1.875&T=2');
    const { page } = opened;
    const drawing = page.getByRole('img', { name: 'Membrane and spikes of the GIF neuron' });
    await drawing.locator('svg').first().waitFor();
    const { width } = (await drawing.boundingBox())!;
    await drawing.hover({ position: { x: width * 0.75, y: 60 } });
    await drawing.getByText('charged to 2.125').waitFor();
    await drawing.hover({ position: { x: width * 0.75, y: 230 } });
    await drawing.getByText('spike 2').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'SVG of GIF', exact: true }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('gif.svg');
    const svg = await readFile(await download.path(), 'utf8');
    expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg.match(/<svg/g)).toHaveLength(3);
    expect(svg).toContain('membrane (units of input)');
    expect(opened.faults).toEqual([]);
  });

  it('counts bits as the package does', async () => {
    await using opened = await open('?T=8&L=7&salient=0.2');
    const { page } = opened;
    const bits = async (name: string): Promise<number> => (await row(page, name)).at(-1)!;
    const sent = bitsPerActivation({ bits: 3, steps: 8, salient: 1 });
    expect(await page.locator('caption', { hasText: '57 codes: T = 8, L = 7' }).count()).toBe(1);
    const table = page.getByRole('region', { name: 'Bits of one activation, as a table' });
    expect(numberOf((await table.getByRole('cell').nth(1).textContent())!)).toBe(56);
    expect(await bits('GIF, paper')).toBeCloseTo(mergedBits(56, 7), 2);
    expect(await bits('GIF, stored')).toBe(sent.transmitted);
    expect(await bits('the code')).toBe(sent.information);
    const average = bitsPerActivation({ bits: 3, steps: 8, salient: 0.2 });
    const said = await page.getByText(/^On average/).textContent();
    expect(said).toContain(`= ${Number(average.transmitted.toFixed(2))} bits of spikes`);
    expect(said).toContain(`= ${Number(average.information.toFixed(2))} bits, n = 3`);
    expect(opened.faults).toEqual([]);
  });

  it.each(['light', 'dark'])('is accessible and fits a phone in %s colours', async (colours) => {
    await using opened = await open('?reset=hard&leak=0.1&T=32&L=15', {
      width: 390,
      dark: colours === 'dark',
    });
    await opened.page.locator('.plot svg').nth(4).waitFor();
    expect(await overflow(opened.page)).toBe(0);
    expect(await seriousViolations(opened.page)).toEqual([]);
    await opened.page.setViewportSize({ width: 1280, height: 900 });
    expect(await seriousViolations(opened.page)).toEqual([]);
    expect(opened.faults).toEqual([]);
  });
});
