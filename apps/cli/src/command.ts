/**
 * The `spikellm` command line, for `bin/spikellm.js`.
 *
 * @module
 */
export { interruptSignal } from './interrupts.ts';
export { main } from './main.ts';
