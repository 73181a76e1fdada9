import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noChromium, servePlayground, type Playground } from './playground.ts';

describe.skipIf(noChromium)('the page', () => {
  let playground: Playground;
  beforeAll(async () => {
    playground = await servePlayground();
  });
  afterAll(() => playground[Symbol.asyncDispose]());

  it('opens the first room, and the one that the URL names', async () => {
    await using first = await playground.open();
    await first.page.getByRole('heading', { level: 1, name: 'Neuron lab' }).waitFor();
    await first.page.getByRole('link', { name: 'Speak' }).click();
    await first.page.getByRole('heading', { level: 1, name: 'Speak' }).waitFor();
    expect(first.page.url()).toMatch(/#\/speak$/);
    await using second = await playground.open('#/backends');
    await second.page.getByRole('heading', { level: 1, name: 'Backends' }).waitFor();
    expect([...first.faults, ...second.faults]).toEqual([]);
  });

  it('is isolated by its service worker, where the server sends no headers', async () => {
    await using opened = await playground.open();
    await opened.page.waitForFunction(() => crossOriginIsolated);
    await opened.page.getByText(/WebAssembly .* threads/).waitFor();
    expect(opened.faults).toEqual([]);
  });

  it('says that it runs on one thread where it is not isolated', async () => {
    await using opened = await playground.open('', { alone: true });
    await opened.page.getByText('one thread, since the page is not isolated').waitFor();
    expect(await opened.page.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(opened.faults).toEqual([]);
  });

  it('is small, and there before its model is', { retry: 4 }, async () => {
    await using fresh = await servePlayground();
    await using opened = await fresh.open('', { url: 'about:blank' });
    const { page } = opened;
    let arrive = (): void => {};
    const held = new Promise<void>((resolve) => (arrive = resolve));
    await page.route('**/*.safetensors', async (route) => {
      await held;
      await route.continue();
    });
    const began = performance.now();
    await page.goto(fresh.url);
    await page.getByRole('link', { name: 'Backends' }).click();
    await page.getByRole('heading', { level: 1, name: 'Backends' }).waitFor();
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeLessThan(3);
    arrive();
    await page.getByText('3.97M parameters').waitFor();
    const bytes = fresh.sentBytes();
    expect(bytes).toBeLessThan(12e6);
    expect(bytes).toBeGreaterThan(5e6); // the model is among them
    console.log(`interactive after ${seconds.toFixed(2)} s, ${(bytes / 1e6).toFixed(2)} MB over the wire`);
    expect(opened.faults).toEqual([]);
  });

  it('can be served from a folder of a server', async () => {
    await using deep = await servePlayground({ base: '/some/where/' });
    await using opened = await deep.open('#/backends');
    expect(opened.page.url()).toContain('/some/where/');
    await opened.page.getByText('3.97M parameters').waitFor();
    expect(opened.faults).toEqual([]);
  });
});
