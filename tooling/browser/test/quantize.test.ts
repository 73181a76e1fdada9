import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { DEFAULT_SETTINGS, quantize, type QuantizeSettings } from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { model as demo } from '@spikellm/demo-model';
import { loadDecoder } from '@spikellm/graph';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { findChromium } from '../lib/chromium.mjs';
import { openPage } from '../lib/page.mjs';

declare const quantizeDemo: (request: object) => Promise<Record<string, string>>;

const windows = [0, 1].map((seed) => Array.from({ length: 24 }, (_, i) => 1 + ((seed * 131 + i * 37) % 500)));

let opened: Awaited<ReturnType<typeof openPage>> | undefined;
afterAll(() => opened?.close());

async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'spikellm-browser-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe.skipIf(findChromium() === undefined && process.env.CI === undefined)('a worker of a page', () => {
  test.for([
    ['smoothquant', 'memory'],
    ['gptq', 'opfs'],
  ] as const)('quantises by %s into %s what Node quantises, to the same bytes', async ([pipeline, store]) => {
    const settings: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline };
    const { page } = (opened ??= await openPage('quantize.html'));
    const files = await page.evaluate((request) => quantizeDemo(request), {
      settings,
      windows,
      store,
    });

    const out = join(await temporaryFolder(), 'out');
    using backend = await createWasmBackend({ isa: 'simd128', threads: 1 });
    await using model = await openModelFolder(fileURLToPath(new URL('.', demo.config)));
    await quantize({ model, out, backend, settings, windows });
    expect(Object.keys(files).toSorted()).toEqual((await readdir(out)).toSorted());
    for (const [name, content] of Object.entries(files))
      expect(content === (await readFile(join(out, name), 'base64')), name).toBe(true);

    const downloaded = await temporaryFolder();
    for (const [name, content] of Object.entries(files))
      await writeFile(join(downloaded, name), content, 'base64');
    await using folder = await openModelFolder(downloaded);
    using decoder = await loadDecoder({ backend, ...folder });
    expect(decoder.config.layers).toBeGreaterThan(0);
    expect((await folder.tokenizer()).encode('Once').length).toBeGreaterThan(0);
  });
});
