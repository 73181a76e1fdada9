import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { MODEL, run, scratch, type Outcome } from './run.ts';

const BIN = fileURLToPath(new URL('../bin/spikellm.js', import.meta.url));

function start(
  bin: string,
  argv: readonly string[],
  nodeOptions: readonly string[] = [],
): { child: ChildProcess; ended: Promise<Outcome> } {
  const child = spawn(process.execPath, [...nodeOptions, bin, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<Outcome>((resolve) => {
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
  return { child, ended };
}

test('the built command runs, and exits with the code of the run', async () => {
  const good = await start(BIN, ['--version']).ended;
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(good).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  const bad = await start(BIN, ['inspect', MODEL, '--jsn']).ended;
  expect(bad).toEqual({ code: 1, stdout: '', stderr: "unknown option '--jsn' (Did you mean --json?)\n" });
});

test('a source tree that is not built says so', async () => {
  using folder = scratch();
  mkdirSync(join(folder.path, 'bin'));
  const bin = join(folder.path, 'bin', 'spikellm.mjs');
  copyFileSync(BIN, bin);
  const { code, stderr } = await start(bin, ['--version']).ended;
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      'spikellm: expected a built dist folder, received a source tree; run `npm start` at its root first.\n',
  });
});

test('a reader that closes the pipe ends the command quietly', async () => {
  const { child, ended } = start(BIN, ['generate', MODEL, '--prompt', 'Once upon a time']);
  child.stdout!.once('data', () => child.stdout!.destroy());
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain('EPIPE');
});

test('Ctrl-C keeps a quantisation, and --resume ends it as if nothing had happened', async () => {
  using folder = scratch();
  const argv = (out: string): string[] => {
    const options = ['--samples', '4', '--seqlen', '64', '--eval-windows', '1', '--backend', 'reference'];
    return ['quantize', MODEL, '--out', join(folder.path, out), ...options];
  };
  const { child, ended } = start(BIN, argv('stopped'));
  const shard = join(folder.path, 'stopped.partial', 'model-00001-of-00006.safetensors');
  while (!existsSync(shard) && child.exitCode === null) await sleep(10);
  child.kill('SIGINT');
  const stopped = await ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stdout).toBe('');
  expect(stopped.stderr).toContain('Interrupted; run the same command with --resume to go on from here.\n');
  expect(existsSync(join(folder.path, 'stopped'))).toBe(false);

  const forgotten = await run(...argv('stopped'));
  expect(forgotten.code).toBe(1);
  expect(forgotten.stderr).toContain('--resume');

  expect((await run(...argv('stopped'), '--resume')).code).toBe(0);
  expect((await run(...argv('whole'))).code).toBe(0);
  const files = readdirSync(join(folder.path, 'whole')).toSorted();
  expect(readdirSync(join(folder.path, 'stopped')).toSorted()).toEqual(files);
  for (const file of files) {
    const [a, b] = ['stopped', 'whole'].map((out) => readFileSync(join(folder.path, out, file)));
    expect(a.equals(b), file).toBe(true);
  }
});

/** A module that does something on the main thread a second after the command began. */
const later = (body: string): string[] => [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    `import { isMainThread } from 'node:worker_threads';
    if (isMainThread) setTimeout(() => { process.stderr.write('now'); ${body} }, 1000);`,
  )}`,
];

test.for([
  ['is blocked for ever', 'for (;;);'],
  ['is stuck in a regular expression', "/(a|aa)+$/.test('a'.repeat(80) + '!');"],
  ['waits for what never comes', 'setInterval(() => {}, 1000); process.exit = () => {};'],
])('one Ctrl-C ends a process that %s', async ([, body]) => {
  const argv = ['generate', MODEL, '--prompt', 'Once', '--max-tokens', '400', '--backend', 'reference'];
  const { child, ended } = start(BIN, argv, later(body));
  while (!(await nextChunk(child)).includes('now'));
  const began = performance.now();
  child.kill('SIGINT');
  await ended;
  expect(child.signalCode ?? child.exitCode).toBe('SIGINT'); // 130 in a shell
  expect(performance.now() - began).toBeLessThan(20_000);
});

const nextChunk = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => child.stderr!.once('data', (chunk) => resolve(String(chunk))));
