import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import * as backend from '@spikellm/backend';
import { expect, it } from 'vitest';
import * as autograd from '../src/index.ts';

it('the example of the README prints what the README says', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code, output] = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
  const names = { ...backend, ...autograd };
  let printed = '';
  const console = { log: (...values: unknown[]) => (printed += `${format(...values)}\n`) };
  const body = `return (async () => {${code.replaceAll(/^import .*\n/gm, '')}})()`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
  await new Function('console', ...Object.keys(names), body)(console, ...Object.values(names));
  expect(printed).toBe(output);
});
