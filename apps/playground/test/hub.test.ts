import { readFile } from 'node:fs/promises';
import { model as bundled } from '@spikellm/demo-model';
import type { Page, Route } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, type Repository } from '../../../packages/checkpoint/test/hub-answers.ts';
import { noChromium, servePlayground, type Playground } from './playground.ts';

/** A hub of one model, `owner/model`, which is the bundled one. Gives the ranges of weights that were asked for. */
async function openHub(page: Page): Promise<string[]> {
  const asked: string[] = [];
  const repository: Repository = {
    'config.json': new Uint8Array(await readFile(bundled.config)),
    'model.safetensors': new Uint8Array(await readFile(bundled.weights)),
    'tokenizer.json': new Uint8Array(await readFile(bundled.tokenizer)),
    'tokenizer_config.json': new Uint8Array(await readFile(bundled.tokenizerConfig)),
  };
  await page.context().route('https://huggingface.co/**', async (route: Route) => {
    const request = route.request();
    const range = await request.headerValue('range');
    const { status, headers, body, file } = answerOf(repository, new URL(request.url()).pathname, range);
    if (file === 'model.safetensors' && range !== 'bytes=0-0') asked.push(range ?? 'whole');
    await route.fulfill({
      status,
      headers: { ...headers, 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*' },
      body: Buffer.from(body),
    });
  });
  return asked;
}

const download = async (page: Page, id: string): Promise<void> => {
  await page.getByLabel('Hugging Face id').fill(id);
  await page.getByRole('button', { name: 'Download', exact: true }).click();
};

describe.skipIf(noChromium)('models of the hub', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await servePlayground({ headers: true });
  });
  afterAll(() => playground[Symbol.asyncDispose]());

  it('come into the private files of the page, and are there at the next visit', async () => {
    await using opened = await playground.open('#/calibrate');
    const { page } = opened;
    const asked = await openHub(page);
    await page.getByText('3.97M parameters').first().waitFor();
    await download(page, 'owner/model');
    await page.getByText('Open: model, 5 layers of 256').waitFor();
    expect(asked.length).toBeGreaterThan(0);
    asked.length = 0;
    await page.reload();
    await page.getByText('Open: tales, 5 layers of 256').waitFor();
    expect(await page.getByLabel('Hugging Face id').inputValue()).toBe('owner/model');
    await page.getByRole('button', { name: 'Download', exact: true }).click();
    await page.getByText('Open: model, 5 layers of 256').waitFor();
    expect(asked).toEqual([]);
    expect(opened.faults).toEqual([]);
  });

  it('that are not there are one sentence, and the open model stays', async () => {
    await using opened = await playground.open('#/calibrate');
    const { page } = opened;
    await openHub(page);
    await page.getByText('3.97M parameters').first().waitFor();
    await download(page, 'owner/nothing');
    await page.getByText(/owner\/nothing: .*status 404 from the hub/).waitFor();
    await download(page, 'no id at all');
    await page.getByText(/a Hugging Face id like owner\/name/).waitFor();
    expect(await page.getByText('Open: tales, 5 layers of 256').count()).toBe(1);
  });
});
