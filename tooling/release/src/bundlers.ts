import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import webpack from 'webpack';

/** Bundles a folder with index.html and main.js into another; what webpack warns of is an error. */
type Bundle = (app: string, out: string) => Promise<void>;

export const bundlers: Readonly<Record<string, Bundle>> = {
  async vite(app, out) {
    await build({
      root: app,
      logLevel: 'error',
      build: { outDir: out, target: 'es2022' },
      worker: { format: 'es' },
    });
  },

  async webpack(app, out) {
    const compiler = webpack({
      mode: 'production',
      context: app,
      entry: './main.js',
      output: { path: out, filename: 'main.js' },
      experiments: { topLevelAwait: true },
      performance: { hints: false },
    });
    await new Promise<void>((resolve, reject) => {
      compiler.run((error, stats) => {
        const faulty = stats?.hasErrors() === true || stats?.hasWarnings() === true;
        const failed = error ?? (faulty ? new Error(stats.toString('errors-warnings')) : undefined);
        compiler.close(() => (failed ? reject(failed) : resolve()));
      });
    });
    copyFileSync(join(app, 'index.html'), join(out, 'index.html'));
  },
};
