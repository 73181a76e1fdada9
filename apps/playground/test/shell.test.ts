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
});
