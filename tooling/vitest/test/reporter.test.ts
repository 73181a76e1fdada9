import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The output of `vitest run` in a fixture folder, which may fail. */
async function runFixture(name: string): Promise<string> {
  const vitest = fileURLToPath(new URL('../node_modules/.bin/vitest', import.meta.url));
  const cwd = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(vitest, ['run'], { cwd }, (_error, stdout) => resolve(stdout.trimEnd()));
  });
}

test('ends with the skipped tests, their reasons and one line of counts', async () => {
  const lines = (await runFixture('mixed')).split('\n');
  expect(lines.slice(-4)).toEqual([
    'skipped: mixed > skipped while running (no model here)',
    'skipped: mixed > skipped for good (no reason given)',
    'skipped: mixed > broken suite > never runs (no reason given)',
    '2 passed, 2 failed, 3 skipped',
  ]);
});

test('counts a file that does not load as a failure', async () => {
  expect((await runFixture('broken')).split('\n').at(-1)).toBe('0 passed, 1 failed, 0 skipped');
});
