import { fileURLToPath } from 'node:url';
import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '../../tooling/vitest/src/config.ts';

/** Sources are tested, so what they import by condition comes from there too. */
export default mergeConfig(
  shared,
  defineConfig({
    resolve: { alias: { '#host': fileURLToPath(new URL('src/host.node.ts', import.meta.url)) } },
  }),
);
