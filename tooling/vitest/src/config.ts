/**
 * The test settings that every package shares: `export { default } from '../../tooling/vitest/src/config.ts'`.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', fileURLToPath(new URL('./reporter.ts', import.meta.url))],
  },
});
