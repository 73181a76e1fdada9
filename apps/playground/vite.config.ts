import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

/** A static page that any file server can host, in any folder. */
export default defineConfig({
  base: './',
  worker: { format: 'es' },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { fs: { allow: [fileURLToPath(new URL('../..', import.meta.url))] } },
  plugins: [isolation()],
});

/**
 * Puts the service worker of coi-serviceworker beside the page, as it is: it adds the headers that share memory with
 * workers where the host cannot set them.
 */
function isolation(): Plugin {
  const fileName = 'coi-serviceworker.js';
  const source = readFileSync(fileURLToPath(import.meta.resolve('coi-serviceworker')), 'utf8');
  return {
    name: 'isolation',
    configureServer({ middlewares }) {
      middlewares.use(`/${fileName}`, (_, response) => {
        response.setHeader('Content-Type', 'text/javascript');
        response.end(source);
      });
    },
    transformIndexHtml: {
      order: 'post',
      handler: () => [{ tag: 'script', attrs: { src: `./${fileName}` }, injectTo: 'head' }],
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source });
    },
  };
}
