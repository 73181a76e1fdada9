import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { CHROMIUM_ARGUMENTS, findChromium } from './chromium.mjs';

/**
 * Tests of a folder that run in a page of the system's Chromium. Where there is none they are one skipped test that says
 * so, which fails where CI is set.
 */
export function browserProject(folder, headers) {
  const chromium = findChromium();
  const name = `browser-${folder}`;
  if (chromium === undefined) {
    const root = fileURLToPath(new URL('../absent', import.meta.url));
    return defineConfig({ root, test: { name, include: ['*.test.ts'] } });
  }
  return defineConfig({
    server: { headers, fs: { allow: [fileURLToPath(new URL('../../..', import.meta.url))] } },
    test: {
      name,
      include: ['*.test.ts'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath: chromium, args: CHROMIUM_ARGUMENTS } }),
        instances: [{ browser: 'chromium' }],
      },
    },
  });
}
