/**
 * What `npm i spikellm` gives to programs: all of `@spikellm/llm`. The command is `command.ts`.
 *
 * @module
 */
export * from '@spikellm/llm';
