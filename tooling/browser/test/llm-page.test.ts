/** A small page as a reader of the README would write it, built by Vite. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModel } from '@spikellm/llm';
import { model as demo } from '@spikellm/demo-model';
import { chromium } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, preview, type PreviewServer } from 'vite';
import { CHROMIUM_ARGUMENTS, findChromium, ISOLATION } from '../lib/chromium.mjs';

const PAGE = `
  import { openModel } from '@spikellm/llm';
  const said = [];
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = await Promise.all(
    names.map(async (name) => new File([await (await fetch('/tales/' + name)).blob()], name)),
  );
  for (const source of ['/tales/', new URL('/tales', location.href), files]) {
    const model = await openModel(source);
    let text = model.backend.name + ':';
    for await (const piece of model.generate('Once upon a time', { maxTokens: 8 })) text += piece;
    await model.close();
    said.push(text);
  }
  said.push(await openModel('nothing').catch((error) => error.message));
  said.push(await openModel(files, { backend: 'cpu' }).catch((error) => error.message));
  globalThis.said = said;
`;
const TALES = fileURLToPath(new URL('.', demo.config));
const executablePath = findChromium();

let app: string;
let server: PreviewServer | undefined;
beforeAll(async () => {
  // Inside the workspace, so that its packages are found.
  app = mkdtempSync(join(fileURLToPath(new URL('../node_modules', import.meta.url)), 'llm-'));
  mkdirSync(join(app, 'public'));
  cpSync(TALES, join(app, 'public', 'tales'), { recursive: true });
  writeFileSync(join(app, 'index.html'), '<script type="module" src="./main.js"></script>');
  writeFileSync(join(app, 'main.js'), PAGE);
  await build({ root: app, logLevel: 'error', build: { target: 'es2022' }, worker: { format: 'es' } });
});
afterAll(async () => {
  await server?.close();
  rmSync(app, { recursive: true });
});

test('no native code and no demo model are bundled, and WebGPU in a file of its own', () => {
  const out = join(app, 'dist', 'assets');
  const files = readdirSync(out);
  expect(files.filter((file) => /\.node$|safetensors|\.txt$/.test(file))).toEqual([]);
  const scripts = files.filter((file) => file.endsWith('.js'));
  const texts = scripts.map((file) => readFileSync(join(out, file), 'utf8'));
  expect(texts.filter((text) => /spikellm_cpu|createRequire|browser-external/.test(text))).toEqual([]);
  const withShaders = scripts.filter((file) => readFileSync(join(out, file), 'utf8').includes('@compute'));
  expect(withShaders).toHaveLength(1);
  expect(withShaders[0]).not.toMatch(/^index/);
});

test('it says what Node says, from an address and from files', async ({ skip }) => {
  skip(executablePath === undefined && process.env.CI === undefined, 'no Chromium on this machine');
  server = await preview({ root: app, preview: { port: 0, headers: ISOLATION } });
  const browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_ARGUMENTS });
  try {
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls!.local[0]);
    const handle = await page.waitForFunction(() => (globalThis as { said?: string[] }).said);
    const said = (await handle.jsonValue())!;
    await using model = await openModel(TALES, { backend: 'wasm' });
    let text = 'wasm:';
    for await (const piece of model.generate('Once upon a time', { maxTokens: 8 })) text += piece;
    expect(said.slice(0, 3)).toEqual([text, text, text]);
    expect(said[3]).toMatch(/^nothing: expected a model folder, or a Hugging Face id/);
    expect(said[4]).toMatch(/^backend: expected auto, wasm, reference, webgpu or a Backend/);
  } finally {
    await browser.close();
  }
});
