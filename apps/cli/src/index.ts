/**
 * The `spikellm` command line.
 *
 * @module
 */
export { interruptSignal } from './interrupts.ts';
export { main } from './main.ts';
