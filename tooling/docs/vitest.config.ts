export { default } from '../bench/vitest.config.ts';
