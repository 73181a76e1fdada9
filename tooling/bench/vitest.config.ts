import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '../vitest/src/config.ts';

/** The scripts are plain JavaScript, so that Node runs them as they are; so are their tests. */
export default mergeConfig(shared, defineConfig({ test: { include: ['test/**/*.test.mjs'] } }));
