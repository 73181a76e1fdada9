/** The five lines of the first README are run as they stand there, in the package as it is built. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [, code, output] = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme)!;

test('the five lines print what the README says', () => {
  expect(code).toContain("from 'spikellm'");
  const argv = ['--input-type=module', '--eval', code];
  expect(execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' }).trim()).toBe(output.trim());
}, 30_000);
