import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MODEL, run, scratch, TEXT } from './run.ts';

const COMMANDS = ['quantize', 'eval', 'generate', 'inspect', 'compare', 'demo'];

/** One sentence on stderr, nothing on stdout, exit 1. */
async function expectRefusal(argv: string[], sentence: string): Promise<void> {
  const { code, stdout, stderr } = await run(...argv);
  expect(stderr.trimEnd()).toBe(sentence);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
}

test.each(COMMANDS)('%s --help has one example', async (command) => {
  const { code, stdout, stderr } = await run(command, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.match(/Example:\n {2}\$ spikellm /g)).toHaveLength(1);
  expect(stdout).toContain(`$ spikellm ${command}`);
});

test('no command shows the commands and fails', async () => {
  const { code, stderr } = await run();
  expect(code).toBe(1);
  for (const command of COMMANDS) expect(stderr).toContain(command);
});

test.each([
  [['quantise'], "unknown command 'quantise' (Did you mean quantize?)"],
  [['measure'], "unknown command 'measure'; --help lists what there is."],
  [['inspect', MODEL, '--prompt', 'a'], "unknown option '--prompt'; --help lists what there is."],
  [['eval', MODEL, '--text', TEXT, '--windows', '2'], "unknown option '--windows' (Did you mean --window?)"],
  [
    ['generate', MODEL],
    '--prompt: expected a text to continue, here or on standard input, received nothing.',
  ],
  [['eval', '--text', TEXT], "missing required argument 'model'"],
  [['generate', MODEL, '--prompt'], "option '--prompt <text>' argument missing"],
])('%j is explained in one line', (argv, sentence) => expectRefusal(argv, sentence));

test.each([
  ['--salient 1.5', '--salient: expected a number from 0 to 1, received 1.5.'],
  ['--salient -0.1', '--salient: expected a number from 0 to 1, received -0.1.'],
  ['--salient ten', '--salient: expected a number from 0 to 1, received ten.'],
  ['--wbits 5.5', '--wbits: expected a whole number from 2 to 8, or 16 for float, received 5.5.'],
  ['--wbits 1', '--wbits: expected a whole number from 2 to 8, or 16 for float, received 1.'],
  ['--abits 12', '--abits: expected a whole number from 2 to 8, or 16 for float, received 12.'],
  ['--abits ', '--abits: expected a whole number from 2 to 8, or 16 for float, received nothing.'],
  ['--steps 3', '--steps: expected 1, 2 or 4, received 3.'],
  ['--pipeline best', '--pipeline: expected rtn, smoothquant, omniquant or gptq, received best.'],
  ['--mean-steps 0.9', '--mean-steps: expected a number from 1 to 4, received 0.9.'],
  ['--weight-group 0', '--weight-group: expected a whole number of columns, 1 or more, received 0.'],
  ['--weight-group 1.5', '--weight-group: expected a whole number of columns, 1 or more, received 1.5.'],
  ['--weight-unit row', '--weight-unit: expected channel or element, received row.'],
  ['--salient-steps 8', '--salient-steps: expected a whole number from 1 to 7, received 8.'],
  ['--damping 2', '--damping: expected a number from 0 to 1, received 2.'],
  ['--rotate fourier', '--rotate: expected none or hadamard, received fourier.'],
  ['--saliency best', '--saliency: expected obs, random, fisher, received best.'],
  ['--granularity layer', '--granularity: expected channel or linear, received layer.'],
  ['--range wide', '--range: expected lossless or saturating, received wide.'],
  ['--kv head', '--kv: expected block, token, whole, float, received head.'],
  ['--mask none', '--mask: expected shared or own, received none.'],
  ['--initial first', '--initial: expected all or published, received first.'],
  ['--memory much', '--memory: expected a size like 500MB or 2GiB, received much.'],
  ['--memory -1GB', '--memory: expected a size like 500MB or 2GiB, received -1GB.'],
  ['--samples 0', '--samples: expected a whole number above 0, received 0.'],
  ['--seqlen 1', '--seqlen: expected a whole number from 2 to 1048576, received 1.'],
  ['--seed -1', '--seed: expected a whole number from 0 to 2^32 - 1, received -1.'],
  ['--eval-windows 0', '--eval-windows: expected a whole number above 0, received 0.'],
  ['--threads 0', '--threads: expected a whole number from 1 to 1024, received 0.'],
  ['--backend tpu', '--backend: expected auto, cpu, wasm, reference or webgpu, received tpu.'],
])('quantize %s is refused and nothing is written', async (option, sentence) => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  await expectRefusal(['quantize', MODEL, '--out', out, ...option.split(' ')], sentence);
  expect(existsSync(out)).toBe(false);
  expect(existsSync(`${out}.partial`)).toBe(false);
});

test.each([
  ['--temperature -1', '--temperature: expected a number of 0 or more, received -1.'],
  ['--top-p 0', '--top-p: expected a number above 0 and at most 1, received 0.'],
  ['--top-k 1.5', '--top-k: expected a whole number above 0, received 1.5.'],
  ['--stop ', '--stop: expected a text, received nothing.'],
  ['--max-tokens none', '--max-tokens: expected a whole number above 0, received none.'],
])('generate %s is refused', (option, sentence) =>
  expectRefusal(['generate', MODEL, '--prompt', 'a', ...option.split(' ')], sentence),
);

test('a text that cannot be used is named, with the reason', async () => {
  using folder = scratch();
  const missing = join(folder.path, 'missing.txt');
  await expectRefusal(
    ['eval', MODEL, '--text', missing],
    `--text: expected a text file, received ${missing}, which does not exist.`,
  );
  await expectRefusal(
    ['eval', MODEL, '--text', folder.path],
    `--text: expected a text file, received ${folder.path}, which is a folder.`,
  );
  const empty = folder.file('empty.txt', '\n');
  await expectRefusal(
    ['eval', MODEL, '--text', empty],
    `--text: expected a text, received ${empty}, which is empty.`,
  );
  const latin = folder.file('latin.txt', Uint8Array.of(0x66, 0xfc, 0x72));
  await expectRefusal(
    ['eval', MODEL, '--text', latin],
    `--text: expected UTF-8 text, received ${latin}, whose bytes are not; convert the file to UTF-8 first.`,
  );
  const short = folder.file('short.txt', 'Once upon a time.');
  const { code, stderr } = await run('eval', MODEL, '--text', short);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^text: expected at least 256 tokens \(one window of 256\), received \d+; take a longer text or a smaller window\.\n$/,
  );
});

test('a calibration text that is too short stops before anything is written', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  const text = folder.file('short.txt', 'Once upon a time.');
  const { code, stderr } = await run('quantize', MODEL, '--out', out, '--text', text);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^calibration text: expected at least 257 tokens for windows of 256, received \d+; .*\.\n$/,
  );
  expect(existsSync(`${out}.partial`)).toBe(false);
});

test('a model that is not there is named; --verbose adds where the error comes from', async () => {
  using folder = scratch();
  const nowhere = join(folder.path, 'nowhere');
  const sentence = `${nowhere}: expected a model folder, or a Hugging Face id like owner/name, received neither.`;
  await expectRefusal(['inspect', nowhere], sentence);
  const { code, stderr } = await run('inspect', nowhere, '--verbose');
  expect(code).toBe(1);
  expect(stderr.split('\n')[0]).toBe(sentence);
  expect(stderr).toMatch(/\n {4}at /);
});

test('an output folder that exists is left alone', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  mkdirSync(out);
  const { code, stderr } = await run('quantize', MODEL, '--out', out, '--samples', '1', '--seqlen', '8');
  expect(code).toBe(1);
  expect(stderr).toContain(`${out}: expected a path that is free`);
});

test.skipIf(process.platform !== 'linux')('a text without an end is refused', async () => {
  expect(await run('eval', MODEL, '--text', '/dev/zero')).toEqual({
    code: 1,
    stdout: '',
    stderr:
      '--text: expected a text of at most 250000000 bytes, received /dev/zero, which has more; take a part of it.\n',
  });
});

test.skipIf(process.platform !== 'linux')('a folder that cannot be made is refused', async () => {
  const argv = ['quantize', MODEL, '--out', '/proc/x', '--samples', '1', '--backend', 'reference'];
  const { code, stderr } = await run(...argv);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /\/proc\/x\.partial: expected a folder that can be made, received \/proc, in which none can/,
  );
});

test.for([
  ['--samples', '1000000000', /samples: expected at most \d+ windows of 256 from a text of \d+ tokens/],
  ['--seqlen', '1000000000', /--seqlen: expected a whole number from 2 to 1048576/],
  ['--threads', '1000000', /--threads: expected a whole number from 1 to 1024/],
] as const)('%s of %s is refused before anything is as large', async ([flag, value, sentence]) => {
  const { code, stderr } = await run('quantize', MODEL, '--out', 'never-written', flag, value);
  expect(code).toBe(1);
  expect(stderr).toMatch(sentence);
});

test('a config of a size that no model has is refused, with and without its tensors', async () => {
  using folder = scratch();
  cpSync(MODEL, folder.path, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder.path, 'config.json'), 'utf8'));
  folder.file('config.json', JSON.stringify({ ...config, hidden_size: 2 ** 32, head_dim: 64 }));
  for (const argv of [
    ['inspect', folder.path],
    ['quantize', folder.path, '--dry-run'],
  ]) {
    const { code, stderr } = await run(...argv);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'config.json: expected hidden_size to be at most 262144, received 4294967296.\n',
    });
  }
});

test('an argument with control characters is escaped', async () => {
  const { stderr } = await run('inspect', 'a\u001b[31m\nb');
  expect(stderr).toMatch(/^a\\u001b\[31m\\nb: expected a model folder/);
});
