import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, it } from 'vitest';
import * as backend from '../src/index.ts';

const AsyncFunction = (async () => {}).constructor as new (
  ...text: string[]
) => (...values: unknown[]) => Promise<void>;

it('the example of the README prints what stands below it', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [example, printed] = [...readme.matchAll(/```(?:js|text)\n(.*?)```/gs)].map(([, block]) => block);
  const body = example.replace(/^import \{(.*)\} from '@spikellm\/backend';/, 'const {$1} = exported;');
  const lines: string[] = [];
  const console = { log: (...values: unknown[]) => lines.push(format(...values)) };
  await new AsyncFunction('exported', 'console', body)(backend, console);
  expect(lines.join('\n')).toBe(printed.trim());
});
