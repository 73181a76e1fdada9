import { fileURLToPath } from 'node:url';
import { build, createLogger, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

const PACKAGES = ['calibration', 'checkpoint', 'evaluation', 'graph'];
const ENTRY = 'virtual:entry';

/** All code of the packages, bundled by Vite for a page, and what Vite had to say. */
async function bundled(): Promise<{ code: string; said: string[] }> {
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const customLogger = { ...createLogger('silent'), warn: say, warnOnce: say, error: say };
  const entry = PACKAGES.map((name) => `export * as ${name} from '@spikellm/${name}';`).join('\n');
  const result = await build({
    root: fileURLToPath(new URL('..', import.meta.url)),
    configFile: false,
    customLogger,
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === ENTRY ? id : undefined),
        load: (id) => (id === ENTRY ? entry : undefined),
      },
    ],
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      chunkSizeWarningLimit: Infinity,
      rolldownOptions: { input: ENTRY, preserveEntrySignatures: 'strict' },
    },
  });
  const { output } = result as Rolldown.RolldownOutput;
  const chunks = output.filter((part) => part.type === 'chunk');
  return { code: chunks.map(({ code }) => code).join('\n'), said };
}

test('a page of calibration, checkpoint, evaluation and graph takes nothing of Node and is bundled without a warning', async () => {
  const { code, said } = await bundled();
  expect(said).toEqual([]);
  for (const name of ['openModelFolder', 'resolveModel', 'quantize', 'perplexity', 'loadDecoder'])
    expect(code).toContain(`function ${name}(`);
  expect(code).not.toMatch(/["'`]node:|browser-external/);
});
