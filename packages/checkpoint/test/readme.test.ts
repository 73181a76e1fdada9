import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { expect, test } from 'vitest';
import * as checkpoint from '../src/index.ts';
import { sharedOrSkip } from './fixtures.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = Array.from(readme.matchAll(/```js\n(.*?)```\n\n```text\n(.*?)```/gs), ([, code, output]) => [
  code,
  output,
]);

test.for(examples)(
  'an example of the README prints what the README says: %#',
  async ([code, output], context) => {
    const models = join(sharedOrSkip(context), 'models');
    const body = code
      .replace(/^import \{.*\} from '@spikellm\/checkpoint';\n/, '')
      .replace("'models/tales'", JSON.stringify(join(models, 'tales')));
    let printed = '';
    const console = { log: (...values: unknown[]) => (printed += `${format(...values)}\n`) };
    const fetch = (path: string) => new Response(readFileSync(path.replace('/models', models)));
    // oxlint-disable-next-line typescript/no-implied-eval -- the README is our own text
    const run = Function('console', 'fetch', ...Object.keys(checkpoint), `return (async () => {${body}})()`);
    await run(console, fetch, ...Object.values(checkpoint));
    expect(printed).toBe(output);
  },
);

test('there are two examples', () => {
  expect(examples).toHaveLength(2);
});
