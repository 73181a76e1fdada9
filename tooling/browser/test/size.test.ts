/** What a page downloads for one backend: all JavaScript, and the largest of the modules of which it takes one. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { build } from 'vite';

interface Budget {
  readonly backend: string;
  readonly entry: string;
  /** Modules that are shipped, of which a page takes one. */
  readonly modules: number;
  /** Bytes that gzip leaves. */
  readonly most: number;
}
const budgets: readonly Budget[] = [
  {
    backend: 'wasm',
    entry: "export { createWasmBackend } from '@spikellm/backend-wasm';",
    modules: 4,
    most: 120_000,
  },
  {
    backend: 'webgpu',
    entry: "export { createWebGpuBackend } from '@spikellm/backend-webgpu';",
    modules: 0,
    most: 60_000,
  },
];

const here = fileURLToPath(new URL('..', import.meta.url));
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const compressed = (path: string): number => gzipSync(readFileSync(path), { level: 9 }).length;

describe('a page downloads', () => {
  it.each(budgets)('at most $most bytes for $backend', async ({ entry, modules: shipped, most }) => {
    // Inside the workspace, so that its packages are found.
    const app = mkdtempSync(join(here, 'node_modules', 'size-'));
    folders.push(app);
    writeFileSync(join(app, 'index.html'), '<script type="module" src="./main.js"></script>');
    writeFileSync(join(app, 'main.js'), `${entry}\nglobalThis.opened = true;`);
    await build({
      root: app,
      logLevel: 'error',
      build: {
        outDir: 'out',
        target: 'es2022',
        assetsInlineLimit: 0,
        rollupOptions: { input: join(app, 'main.js'), preserveEntrySignatures: 'strict' },
      },
      worker: { format: 'es' },
    });
    const out = join(app, 'out');
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).map((file) => join(out, file));
    const scripts = files.filter((file) => file.endsWith('.js')).map(compressed);
    const modules = files.filter((file) => file.endsWith('.wasm')).map(compressed);
    expect(modules).toHaveLength(shipped);
    const bytes = scripts.reduce((sum, size) => sum + size, 0) + Math.max(0, ...modules);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(most);
  });
});
