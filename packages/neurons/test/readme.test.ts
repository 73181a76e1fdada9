import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, it } from 'vitest';
import * as neurons from '../src/index.ts';

it('the example of the README prints what the README says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code, output] = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
  const body = code.replace(/^import \{.*\} from '@spikellm\/neurons';\n/, '');
  let printed = '';
  const console = { log: (...values: unknown[]) => (printed += `${format(...values)}\n`) };
  // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
  new Function('console', ...Object.keys(neurons), body)(console, ...Object.values(neurons));
  expect(printed).toBe(output);
});
