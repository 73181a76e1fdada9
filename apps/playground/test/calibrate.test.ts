import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Backend } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { DEFAULT_SETTINGS, quantize, sampleWindows, type QuantizeSettings } from '@spikellm/calibration';
import { createMemoryFiles, openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { model as bundled, texts } from '@spikellm/demo-model';
import { perplexity } from '@spikellm/evaluation';
import { linearRows, loadDecoder, nodesOf, parseModel, readSteps } from '@spikellm/graph';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overflow, seriousViolations } from './accessibility.ts';
import { noChromium, servePlayground, type Playground } from './playground.ts';

const run = promisify(execFile);
const SETTINGS: QuantizeSettings = { ...DEFAULT_SETTINGS, key: 'block' };
const FILES = {
  'config.json': bundled.config,
  'model.safetensors': bundled.weights,
  'tokenizer.json': bundled.tokenizer,
  'tokenizer_config.json': bundled.tokenizerConfig,
};

/** The bundled model, its config changed. */
async function tales(changes: object = {}): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const [name, url] of Object.entries(FILES)) files.set(name, await readFile(url));
  const config = JSON.parse(files.get('config.json')!.toString());
  return files.set('config.json', Buffer.from(JSON.stringify({ ...config, ...changes })));
}

const openFiles = (files: ReadonlyMap<string, Buffer>): Promise<ModelFolder> =>
  openModelFolder('tales', {
    files: createMemoryFiles(
      Array.from(files, ([name, bytes]) => [`tales/${name}`, new Blob([new Uint8Array(bytes)])] as const),
    ),
  });

/** The same computation through the packages. */
async function measure(
  backend: Backend,
  { config, tensors }: ModelFolder,
  ids: readonly number[],
  window = 256,
): Promise<number> {
  using decoder = await loadDecoder({ config, tensors, backend });
  return (await perplexity(decoder, ids, { window, maxWindows: 16 })).perplexity;
}

async function quantised(
  backend: Backend,
  model: ModelFolder,
  settings: QuantizeSettings,
  samples: number,
  length = 256,
) {
  const text = await readFile(texts.calibration, 'utf8');
  const ids = (await model.tokenizer()).encode(text);
  const windows = sampleWindows(ids, { samples, length, seed: settings.seed });
  const files = createMemoryFiles();
  await quantize({ model, out: 'out', files, backend, settings, windows });
  return { folder: await openModelFolder('out', { files }), blobs: files.blobs('out') };
}

/** Steps of all linears. */
async function stepsOf({ config, tensors }: ModelFolder): Promise<number[][]> {
  const linears = parseModel(config).layers.flatMap((layer) =>
    nodesOf(layer, 'linear').map((node) => linearRows(layer.prefix, node)),
  );
  return Promise.all(
    linears.map(async ({ prefix, inputs }) => Array.from(await readSteps(tensors, prefix, inputs))),
  );
}

const calibrate = (page: Page) => page.getByRole('button', { name: 'Calibrate and measure' });
const mapOf = (page: Page) => page.getByRole('heading', { name: 'Saliency by input and channel' });
const cell = (page: Page, model: string) => page.locator(`tr[data-model=${model}] td`).first();
const measured = (page: Page, model = 'spiking'): Promise<void> =>
  cell(page, model).filter({ hasText: /\d/ }).waitFor({ timeout: 50_000 });

/** Gives a text of one's own, and waits until the page says that it has it. */
const typeText = (page: Page, text: string): Promise<void> =>
  expect
    .poll(async () => {
      await page.getByLabel('Text to predict').fill(text);
      return page.getByText('Your text, which stays in this page.').isVisible();
    })
    .toBe(true);

/** Opens files as a reader who picks them. */
const give = (page: Page, files: ReadonlyMap<string, Buffer>): Promise<void> =>
  page
    .getByLabel('Model files')
    .setInputFiles(
      Array.from(files, ([name, buffer]) => ({ name, buffer, mimeType: 'application/octet-stream' })),
    );

/** Perplexities of the table by model, in full, as its CSV has them. */
async function perplexities(page: Page): Promise<number[]> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CSV of the perplexities' }).click(),
  ]);
  const [head, ...rows] = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
  const at = head.split(',').indexOf('perplexity');
  // The name of a model may hold commas and stands first, in quotes.
  return rows.map((row) => Number(row.replace(/^"[^"]*"/, '').split(',')[at]));
}

describe.skipIf(noChromium)('calibrate', () => {
  let playground: Playground;
  let backend: Backend;
  let model: ModelFolder;
  let folder: string;
  /** A few windows of the evaluation text, so that three variants are measured quickly. */
  let few: string;
  /** Perplexities of float, rounded and spiking, of the whole text and of a few windows. */
  let ofAll: number[];
  let ofFew: number[];
  let steps: number[][];

  beforeAll(async () => {
    playground = await servePlayground();
    folder = await mkdtemp(join(tmpdir(), 'calibrate-'));
    backend = await createWasmBackend();
    model = await openFiles(await tales());
    const tokenizer = await model.tokenizer();
    const all = await readFile(texts.evaluation, 'utf8');
    few = all.slice(0, 3000);
    const rounded = await quantised(backend, model, { ...SETTINGS, steps: 1, salientFraction: 0 }, 2);
    const spiking = await quantised(backend, model, SETTINGS, 2);
    const known = async (text: string): Promise<number[]> => {
      const found: number[] = [];
      for (const each of [model, rounded.folder, spiking.folder])
        found.push(await measure(backend, each, tokenizer.encode(text)));
      return found;
    };
    ofAll = await known(all);
    ofFew = await known(few);
    steps = await stepsOf(spiking.folder);
  });
  afterAll(async () => {
    backend.dispose();
    await playground[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  // Node has no relaxed SIMD, whose fused products round differently and turn a code here and there: the variant without
  // it is held to the numbers of Node, the best of the browser to its float model, its steps and what Node reads.
  for (const [where, variant, alone] of [
    ['isolated', 'auto', false],
    ['isolated, without relaxed SIMD', 'wasm-simd128', false],
    ['alone', 'wasm-simd128', true],
  ] as const) {
    it(`measures and chooses as the packages in Node do: ${where}`, async () => {
      await using opened = await playground.open(`#/calibrate?samples=2&backend=${variant}`, { alone });
      const { page } = opened;
      const relaxed = variant === 'auto';
      if (!relaxed) await typeText(page, few);
      await calibrate(page).click();
      await measured(page);
      const found = await perplexities(page);
      expect(found).toHaveLength(3);
      for (const [i, value] of (relaxed ? ofAll : ofFew).entries()) {
        expect(Math.abs(found[i] / value - 1)).toBeLessThan(relaxed && i > 0 ? 1e-3 : 1e-4);
      }
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download checkpoint' }).click(),
      ]);
      const out = join(folder, where);
      await run('python3', ['-m', 'zipfile', '-e', await download.path(), out]);
      await using checkpoint = await openModelFolder(join(out, 'tales-spiking'));
      expect(await stepsOf(checkpoint)).toEqual(steps);
      const again = await measure(backend, checkpoint, (await checkpoint.tokenizer()).encode(few));
      expect(Math.abs(again / ofFew[2] - 1)).toBeLessThan(1e-4);
      expect(opened.faults).toEqual([]);
    });
  }

  it('compensates errors of a rotated model as the packages in Node do', async () => {
    const query = 'pipeline=gptq&rotate=hadamard&samples=1&backend=wasm-simd128';
    await using opened = await playground.open(`#/calibrate?${query}`);
    const { page } = opened;
    await typeText(page, few);
    await calibrate(page).click();
    await measured(page);
    const found = await perplexities(page);
    const settings: QuantizeSettings = { ...SETTINGS, pipeline: 'gptq', rotate: 'hadamard' };
    const { folder: rotated } = await quantised(backend, model, settings, 1);
    const known = await measure(backend, rotated, (await model.tokenizer()).encode(few));
    expect(Math.abs(found[2] / known - 1)).toBeLessThan(1e-4);
    expect(opened.faults).toEqual([]);
  });

  it('rounds to nearest on WebGPU, and says before the click what that cannot do', async () => {
    await using opened = await playground.open('#/calibrate?samples=1&backend=webgpu&steps=1&pipeline=gptq');
    const { page } = opened;
    await page.getByText('The WebGPU backend has no kernels for GPTQ.').waitFor();
    expect(await calibrate(page).isDisabled()).toBe(true);
    // A short context, since this adapter is software.
    const short = await tales({ max_position_embeddings: 32 });
    await give(page, short);
    await page.getByText('Open: model, 5 layers of 256').waitFor();
    const text = (await readFile(texts.evaluation, 'utf8')).slice(0, 200);
    await typeText(page, text);
    await page.getByLabel('Pipeline').selectOption('round-to-nearest');
    await calibrate(page).click();
    await measured(page);
    const found = await perplexities(page);
    await using opened32 = await openFiles(short);
    const ids = (await model.tokenizer()).encode(text);
    const { folder: rounded } = await quantised(backend, opened32, { ...SETTINGS, steps: 1 }, 1, 32);
    const float = await measure(backend, opened32, ids, 32);
    const round = await measure(backend, rounded, ids, 32);
    for (const [i, value] of [float, round, round].entries()) {
      expect(Math.abs(found[i] / value - 1)).toBeLessThan(1e-4);
    }
    expect(opened.faults).toEqual([]);
  });

  it('stops within a second, keeps the model before, and goes on', async () => {
    await using opened = await playground.open('#/calibrate?samples=2&epochs=20');
    const { page } = opened;
    await typeText(page, few);
    await calibrate(page).click();
    await measured(page);
    await page.getByLabel('Pipeline').selectOption('OmniQuant');
    await calibrate(page).click();
    await page.getByText(/training layers \d+/).waitFor({ timeout: 40_000 });
    const began = Date.now();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped. The spiking model is the one of before.').waitFor();
    expect(Date.now() - began).toBeLessThan(1000);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download checkpoint' }).click(),
    ]);
    expect(await readFile(await download.path(), 'latin1')).toContain('"pipeline": "rtn"');
    await page.getByLabel('Pipeline').selectOption('SmoothQuant');
    await calibrate(page).click();
    await page.locator('tr[data-model=spiking]', { hasText: /SmoothQuant .*\d\.\d{3}/ }).waitFor();
    expect(opened.faults).toEqual([]);
  });

  it('keeps settings and the selected channel in the URL', async () => {
    await using opened = await playground.open('#/calibrate?samples=1');
    const { page } = opened;
    const map = page.getByRole('application');
    await map.focus();
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    await page.getByRole('heading', { name: 'Layer 0, input of o, channel 2' }).waitFor();
    await page.getByText('Mean squared error of this channel').waitFor();
    await page.getByLabel('Sort the channels of each input').check();
    await page.getByLabel('Colour scale').selectOption('linear');
    await page.getByLabel('Weight bits').fill('3');
    await page.getByLabel('Steps T of salient channels').selectOption('4');
    const address = page.url();
    expect(address).toContain('channel=0.o.2');
    await page.reload();
    await page.getByText('Mean squared error of this channel').waitFor();
    expect(page.url()).toBe(address);
    expect(await page.getByLabel('Weight bits').inputValue()).toBe('3');
    expect(await page.getByLabel('Steps T of salient channels').inputValue()).toBe('4');
    expect(await page.getByLabel('Colour scale').inputValue()).toBe('linear');
    expect(await page.getByLabel('Sort the channels of each input').isChecked()).toBe(true);
    expect(opened.faults).toEqual([]);
  });

  it('opens a model of short context and a checkpoint; what is broken leaves them as they are', async () => {
    await using opened = await playground.open('#/calibrate?samples=1');
    const { page } = opened;
    const state = page.locator('section', { hasText: 'Open a model' }).getByText(/^Open: /);
    await mapOf(page).waitFor();
    const broken = await tales();
    await give(page, broken.set('model.safetensors', broken.get('model.safetensors')!.subarray(0, 100_000)));
    await page.getByRole('alert').filter({ hasText: 'model.safetensors' }).waitFor();
    expect(await state.textContent()).toContain('tales, 5 layers of 256');
    await drop(page, 'notes.txt');
    await page.getByRole('alert').filter({ hasText: 'Expected a model folder' }).waitFor();

    await give(page, await tales({ max_position_embeddings: 64 }));
    await page.getByText('Open: model, 5 layers of 256').waitFor();
    await page.getByLabel('Text to predict').fill('Once upon a time.');
    await mapOf(page).waitFor();
    await calibrate(page).click();
    await page.getByRole('alert').filter({ hasText: 'expected at least 64 tokens' }).waitFor();
    await page.getByRole('button', { name: 'Back to the bundled text' }).click();
    await calibrate(page).click();
    await measured(page);
    await page.getByText('windows of 64.').waitFor();

    await page.getByRole('button', { name: 'Bundled model' }).click();
    await page.getByText('Open: tales, 5 layers of 256').waitFor();
    const { blobs } = await quantised(backend, model, { ...SETTINGS, weightBits: 3, steps: 4 }, 2);
    const files = new Map<string, Buffer>();
    for (const [name, blob] of blobs) files.set(name, Buffer.from(await blob.arrayBuffer()));
    await mapOf(page).waitFor();
    await give(page, files);
    await page.getByText('spiking: model').waitFor();
    await page.getByRole('button', { name: 'Measure the opened checkpoint' }).click();
    await measured(page);
    expect(await page.locator('tr[data-model=rounded] th').textContent()).toContain('W3A4, T = 1');
    expect(opened.faults).toEqual([]);
  });

  it('has no serious accessibility issue in light and dark, and overflows nowhere at 390 pixels', async () => {
    for (const dark of [false, true]) {
      await using opened = await playground.open('#/calibrate?samples=1&channel=1.down.3', {
        width: 390,
        dark,
      });
      const { page } = opened;
      await page.getByText('Mean squared error of this channel').waitFor();
      expect(await seriousViolations(page)).toEqual([]);
      expect(await overflow(page)).toBe(0);
      expect(opened.faults).toEqual([]);
    }
  });
});

/** Drops one file of a few words. */
async function drop(page: Page, name: string): Promise<void> {
  const transfer = await page.evaluateHandle((file) => {
    const data = new DataTransfer();
    data.items.add(new File(['no model'], file));
    return data;
  }, name);
  await page
    .locator('section', { hasText: 'Open a model' })
    .last()
    .dispatchEvent('drop', { dataTransfer: transfer });
}
