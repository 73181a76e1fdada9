import { defineConfig, mergeConfig } from 'vitest/config';
import shared from '../vitest/src/config.ts';

/** Packing and installing everything takes longer than a unit test may. */
export default mergeConfig(shared, defineConfig({ test: { hookTimeout: 600_000, testTimeout: 120_000 } }));
