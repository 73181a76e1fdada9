import { cpSync, readFileSync } from 'node:fs';
import { format } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import * as llm from '../src/index.ts';
import { scratch, TALES } from './places.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = Array.from(readme.matchAll(/```js\n(.*?)```.*?```text\n(.*?)```/gs), ([, code, output]) => ({
  code,
  output,
}));
const folder = scratch();
afterAll(() => folder[Symbol.dispose]());

it.each(examples)('example %# of the README prints what the README says', async ({ code, output }) => {
  cpSync(TALES, folder.at('models/tales'), { recursive: true });
  let printed = '';
  const write = (text: string): void => void (printed += text);
  const console = { log: (...values: unknown[]) => write(`${format(...values)}\n`) };
  const process = { stdout: { write } };
  // The examples are run in a folder of their own.
  const placed = code.replaceAll(/'(models\/tales|tales-spiking)'/g, (_, path) =>
    JSON.stringify(folder.at(path)),
  );
  const names = { console, process, ...llm };
  const body = `return (async () => {${placed.replaceAll(/^import .*\n/gm, '')}})()`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
  await new Function(...Object.keys(names), body)(...Object.values(names));
  expect(printed.trimEnd()).toBe(output.trimEnd());
});
