/** The command line as people use it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as library from '../src/index.ts';
import { main } from '../src/main.ts';
import { MODEL, run, scratch, sink, TEXT, type Outcome } from './run.ts';

const QUICK = ['--samples', '1', '--seqlen', '16', '--eval-windows', '1'];

/** A run whose standard input is a pipe, or a terminal that nobody types in. */
async function runOn(input: string[] | 'terminal', ...argv: string[]): Promise<Outcome> {
  const [stdout, stderr] = [sink(), sink()];
  const stdin = {
    isTTY: input === 'terminal',
    async *[Symbol.asyncIterator]() {
      for (const chunk of input === 'terminal' ? [] : input) yield chunk;
    },
  };
  const code = await main(argv, { stdout, stderr, stdin });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

test('the main entry of the package is the library', () => {
  expect(Object.keys(library)).toEqual(expect.arrayContaining(['openModel', 'quantize', 'openBackend']));
});

test.each(['-v', '--version', '-V'])('%s is the version', async (flag) => {
  expect(await run(flag)).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  });
});

test('a prompt may come from standard input, without the line feed at its end', async () => {
  const options = ['--max-tokens', '4', '--backend', 'reference'];
  const typed = await run('generate', MODEL, '--prompt', 'The king said', ...options);
  const piped = await runOn(['The king', ' said\n'], 'generate', MODEL, ...options);
  expect(piped.stdout).toBe(typed.stdout);
  expect(await runOn('terminal', 'generate', MODEL, ...options)).toEqual({
    code: 1,
    stdout: '',
    stderr: '--prompt: expected a text to continue, here or on standard input, received nothing.\n',
  });
  expect((await runOn([], 'generate', MODEL, ...options)).stderr).toBe(
    '--prompt: expected a text, received standard input, which is empty.\n',
  );
});

test('a run that is refused says one sentence, and nothing of what it would have done', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  mkdirSync(out);
  const refused: [string[], RegExp][] = [
    [['quantize', MODEL, '--out', out, ...QUICK], /^.*out: expected a path that is free, .*\n$/],
    [['generate', MODEL, '--prompt', 'a '.repeat(300)], /^prompt: expected 1 to 255 tokens, .*\n$/],
    [
      ['eval', MODEL, '--text', TEXT, '--window', '257'],
      /^--window: expected a whole number from 2 to 256 tokens, the context of the model, received 257\.\n$/,
    ],
    [['compare', MODEL, '--text', TEXT, '--window', '257'], /^--window: expected .*, received 257\.\n$/],
  ];
  for (const [argv, sentence] of refused)
    expect(await run(...argv)).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(sentence) });
});

test('windows are of the context where --window says nothing, and that is said', async () => {
  const { stdout, stderr } = await run('eval', MODEL, '--text', TEXT, '--max-windows', '1', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ window: 256, windows: 1 });
  expect(stderr).toContain('windows of 256 tokens, since --window says nothing else\n');
});

test('inspect --channels lists the salient masks of a checkpoint', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  await run('quantize', MODEL, '--out', out, ...QUICK, '--steps', '4');
  const { masks, total, kv } = JSON.parse((await run('inspect', out, '--channels', '--json')).stdout);
  expect(masks).toHaveLength(5 * (7 + 2));
  const salient = (names: RegExp): number =>
    masks
      .filter(({ name }: { name: string }) => names.test(name))
      .reduce((sum: number, mask: { salient: number[] }) => sum + mask.salient.length, 0);
  expect(salient(/_proj$/)).toBe(total.salientChannels);
  expect(salient(/_cache$/)).toBe(kv.salientChannels);
  const [q] = masks;
  expect(q).toMatchObject({ layer: 0, name: 'self_attn.q_proj', channels: 256 });
  expect(new Set(q.steps)).toEqual(new Set([4]));
  const { stdout } = await run('inspect', out, '--channels');
  expect(stdout).toContain(
    `layer 0 self_attn.q_proj, ${q.salient.length} of 256 channels: T=4 ${q.salient.join(' ')}\n`,
  );
  expect(JSON.parse((await run('inspect', MODEL, '--channels', '--json')).stdout).masks).toEqual([]);
});

test('the JSON of compare has totals, and nothing that grows with the model', async () => {
  using folder = scratch();
  const argv = ['--text', TEXT, '--window', '16', '--max-windows', '1', '--samples', '1', '--json'];
  const methods = ['--methods', 'rtn', '--cache', folder.path];
  const [row] = JSON.parse((await run('compare', MODEL, ...argv, ...methods)).stdout).rows;
  expect(Object.keys(row.operations).toSorted()).toEqual(['energyTable', 'tokens', 'total', 'uncounted']);
  expect(row.raster.codes.length).toBeLessThanOrEqual(256);
});

function shellHas(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A question to a shell that has read the script, and what has to be among its answers. */
const SHELLS = {
  bash: [
    'source "$0"; COMP_WORDS=(spikellm quantize --weight-u); COMP_CWORD=2; _spikellm; echo "${COMPREPLY[@]}"; ' +
      'COMP_WORDS=(spikellm in); COMP_CWORD=1; _spikellm; echo "${COMPREPLY[@]}"',
    '--weight-unit\ninspect\n',
  ],
  zsh: ['autoload -Uz compinit; compinit -D; source "$0"; echo $_comps[spikellm]', '_spikellm\n'],
  fish: [
    'source $argv[1]; complete -C "spikellm quantize --weight-u" | string split -f1 \\t; ' +
      'complete -C "spikellm ins" | string split -f1 \\t',
    '--weight-unit\ninspect\n',
  ],
} as const;

test.for(Object.entries(SHELLS))('completion for %s', async ([shell, [question, answer]], { skip }) => {
  skip(!shellHas(shell), `no ${shell} on this machine`);
  using folder = scratch();
  const { stdout } = await run('completion', shell);
  const script = folder.file('completion', stdout);
  expect(execFileSync(shell, ['-c', question, script], { encoding: 'utf8' })).toBe(answer);
});

test('completion for another shell is refused', async () => {
  expect((await run('completion', 'tcsh')).stderr).toBe('shell: expected bash, zsh, fish, received tcsh.\n');
});
