import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { expect, test } from 'vitest';
import * as checkpoint from '../src/index.ts';
import { sharedOrSkip } from './fixtures.ts';

test('the example of the README prints what the README says', async (context) => {
  const shared = sharedOrSkip(context);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code, output] = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme) ?? [];
  const body = code
    .replace(/^import \{.*\} from '@spikellm\/checkpoint';\n/, '')
    .replace("'models/tales'", JSON.stringify(join(shared, 'models/tales')));
  let printed = '';
  const console = { log: (...values: unknown[]) => (printed += `${format(...values)}\n`) };
  // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
  const run = Function('console', ...Object.keys(checkpoint), `return (async () => {${body}})()`);
  await run(console, ...Object.values(checkpoint));
  expect(printed).toBe(output);
});
