/** The built page in the system's Chromium, for tests. */
import { fileURLToPath } from 'node:url';
import { CHROMIUM_ARGUMENTS, findChromium, ISOLATION } from '@spikellm/browser/chromium';
import { chromium, type Browser, type Page } from 'playwright';
import { preview } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

export const noChromium = findChromium() === undefined;

export interface Playground extends AsyncDisposable {
  readonly url: string;
  readonly browser: Browser;
  /** Opens the page at a hash such as `#/speak`, in a browser context of its own. */
  open(hash?: string, options?: OpenOptions): Promise<OpenPage>;
}

export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Without the service worker that isolates the page. */
  readonly alone?: boolean;
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the page and of its console so far. */
  readonly faults: readonly string[];
}

/** Serves the built page. @param headers - sends the headers that isolate it; else its service worker does */
export async function servePlayground({ headers = false } = {}): Promise<Playground> {
  const server = await preview({
    root,
    logLevel: 'error',
    preview: { port: 0, host: 'localhost', headers: headers ? ISOLATION : {} },
  });
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath && { executablePath }),
    args: CHROMIUM_ARGUMENTS,
  });
  const [url] = server.resolvedUrls!.local;
  return {
    url,
    browser,
    async open(hash = '', { width = 1280, height = 900, dark = false, alone = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: dark ? 'dark' : 'light',
        acceptDownloads: true,
      });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(`${url}${alone ? '?alone' : ''}${hash}`);
      return { page, faults, [Symbol.asyncDispose]: () => context.close() };
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server.close();
    },
  };
}
