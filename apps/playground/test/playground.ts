/** The built page in the system's Chromium, for tests. */
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CHROMIUM_ARGUMENTS, findChromium, ISOLATION } from '@spikellm/browser/chromium';
import { chromium, type Browser, type Page } from 'playwright';
import { preview } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

export const noChromium = findChromium() === undefined;

export interface Playground extends AsyncDisposable {
  readonly url: string;
  readonly browser: Browser;
  /** Bytes that the server has sent. */
  sentBytes(): number;
  /** Opens the page at a hash such as `#/speak`, in a browser context of its own. */
  open(hash?: string, options?: OpenOptions): Promise<OpenPage>;
}

export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Without the service worker that isolates the page. */
  readonly alone?: boolean;
  /** Another page than this one. */
  readonly url?: string;
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the page and of its console so far. */
  readonly faults: readonly string[];
}

/**
 * Serves the built page.
 *
 * @param headers - sends the headers that isolate it; else its service worker does
 * @param base - the folder of the server that the page is in
 */
export async function servePlayground({ headers = false, base = '/' } = {}): Promise<Playground> {
  const server = await preview({
    root,
    base,
    logLevel: 'error',
    preview: { port: 0, host: 'localhost', headers: headers ? ISOLATION : {} },
  });
  const sockets: Socket[] = [];
  server.httpServer.on('connection', (socket: Socket) => sockets.push(socket));
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath && { executablePath }),
    args: CHROMIUM_ARGUMENTS,
  });
  const [url] = server.resolvedUrls!.local;
  return {
    url,
    browser,
    sentBytes: () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    async open(hash = '', { width = 1280, height = 900, dark = false, alone = false, url: other } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: dark ? 'dark' : 'light',
        acceptDownloads: true,
      });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(other ?? `${url}${alone ? '?alone' : ''}${hash}`);
      // The service worker of a first visit loads the page anew: what a test does before that is lost.
      if (other === undefined && !alone) await page.waitForFunction(() => crossOriginIsolated);
      return { page, faults, [Symbol.asyncDispose]: () => context.close() };
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server.close();
    },
  };
}
