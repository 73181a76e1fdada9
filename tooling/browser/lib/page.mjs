// Pages of this folder in the system's Chromium, for what is not a test: measurements.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { CHROMIUM_ARGUMENTS, findChromium, ISOLATION } from './chromium.mjs';

const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/**
 * Serves `pages` and opens one of them, cross-origin isolated.
 *
 * @param {string} name - its file
 * @param {Record<string, string>} mounts - folders that are served as they are, by the path they are served at
 * @returns {Promise<{ page: import('playwright').Page, version: string, close(): Promise<void> }>}
 */
export async function openPage(name, mounts = {}) {
  const executablePath = findChromium();
  if (executablePath === undefined)
    throw new Error('no Chromium: install one, or name it by SPIKELLM_CHROMIUM');
  const server = await createServer({
    root: fileURLToPath(new URL('../pages', import.meta.url)),
    logLevel: 'error',
    server: { headers: ISOLATION, fs: { strict: false }, hmr: false, watch: null },
    plugins: [mounting(mounts)],
  });
  await server.listen();
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_ARGUMENTS });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on('pageerror', (error) => console.error(error.message));
    await page.goto(new URL(name, server.resolvedUrls.local[0]).href);
    await page.waitForFunction(() => globalThis.ready === true);
    return { page, version: browser.version(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Serves folders beside the pages, untouched by Vite. */
function mounting(mounts) {
  return {
    name: 'mounts',
    configureServer({ middlewares }) {
      for (const [path, folder] of Object.entries(mounts)) {
        middlewares.use(path, (request, response, next) => {
          const file = join(folder, decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
          if (!file.startsWith(folder) || !existsSync(file)) {
            next();
            return;
          }
          response.writeHead(200, {
            ...ISOLATION,
            'Cross-Origin-Resource-Policy': 'same-origin',
            'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
            'Content-Length': statSync(file).size,
          });
          createReadStream(file).pipe(response);
        });
      }
    },
  };
}
