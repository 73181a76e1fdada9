import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import { expect, test } from 'vitest';
import { model, texts } from '../src/index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the example of the README prints what the README says', () => {
  const [, code, output] = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
  const body = code.replaceAll(/^import .*\n/gm, '');
  let printed = '';
  const console = { log: (...values: unknown[]) => (printed += `${format(...values)}\n`) };
  const names = { console, readFileSync, fileURLToPath, model, texts };
  // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
  new Function(...Object.keys(names), body)(...Object.values(names));
  expect(printed).toBe(output);
});

test('the README gives the true size of each text', () => {
  for (const [name, url] of Object.entries(texts)) {
    const bytes = readFileSync(url).length.toLocaleString('en');
    expect(readme).toMatch(new RegExp(`texts\\.${name}.*${bytes} bytes`));
  }
});
