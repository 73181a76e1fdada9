import { defineConfig, mergeConfig } from 'vitest/config';
import shared from './tooling/vitest/src/config.ts';

/** All tests in one run. The packed installs of tooling/release take minutes and are a command of their own. */
export default mergeConfig(
  shared,
  defineConfig({
    test: {
      projects: [
        '{packages,apps,tooling}/*/vitest.config.ts',
        'tooling/browser/*/vitest.config.mjs',
        '!tooling/release/vitest.config.ts',
      ],
    },
  }),
);
