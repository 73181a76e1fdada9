export { default } from '../vitest/src/config.ts';
