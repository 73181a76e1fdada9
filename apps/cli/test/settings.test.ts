/** Options of the command line and the pipelines that they belong to; weights that stay in float. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PIPELINES, type SettingField } from '@spikellm/calibration';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { METHODS } from '../src/compare/methods.ts';
import { olderWords, settingsOf, withSettings } from '../src/quantize-settings.ts';
import { run, scratch, TEXT } from './run.ts';
import { writeTinyModel } from './tiny-model.ts';

const refusal = (option: string, owner: string, taken: string): string =>
  `${option}: expected --pipeline ${owner}, whose option it is, received --pipeline ${taken}; leave it out, or take that pipeline.\n`;

/** Every option that one pipeline alone has, as somebody would type it. */
const owned = PIPELINES.flatMap(({ name, fields }) =>
  Object.values(fields as Readonly<Record<string, SettingField<unknown>>>).map(({ flag, default: value }) => {
    const [option, argument] = flag.split(' ');
    const text =
      { '--mean-steps': '1.4', '--weight-group': '128', '--weight-unit': 'element' }[option] ?? String(value);
    return { owner: name, option, typed: argument === undefined ? [option] : [option, text] };
  }),
);

test.each(owned)(
  '$option is refused by the pipelines that do not have it',
  async ({ owner, option, typed }) => {
    using folder = scratch();
    const out = join(folder.path, 'out');
    for (const taken of PIPELINES.map(({ name }) => name).filter((name) => name !== owner)) {
      const result = await run('quantize', folder.path, '--out', out, '--pipeline', taken, ...typed);
      expect(result).toEqual({ code: 1, stdout: '', stderr: refusal(option, owner, taken) });
    }
    expect(existsSync(`${out}.partial`)).toBe(false);
  },
);

test('the default pipeline refuses them too, and an option that was not typed is no mistake', async () => {
  using folder = scratch();
  const { stderr } = await run('quantize', folder.path, '--out', join(folder.path, 'out'), '--epochs', '20');
  expect(stderr).toBe(refusal('--epochs', 'omniquant', 'rtn'));
  const config = join(await writeTinyModel(join(folder.path, 'tiny')), 'config.json');
  const dry = ['--dry-run', '--seqlen', '16', '--samples', '1', '--backend', 'reference', '--json'];
  const given = await run('quantize', config, ...dry, '--pipeline', 'gptq', '--damping', '0.02');
  expect(JSON.parse(given.stdout).settings).toMatchObject({ pipeline: 'gptq', options: { damping: 0.02 } });
  expect(JSON.parse((await run('quantize', config, ...dry)).stdout).settings.options).toEqual({});
});

const SMALL = ['--samples', '1', '--backend', 'reference', '--wbits', '16'];

test.each(PIPELINES.map(({ name }) => name))(
  'quantize --pipeline %s --wbits 16 leaves weights in float',
  async (pipeline) => {
    using folder = scratch();
    const model = await writeTinyModel(join(folder.path, 'tiny'));
    const out = join(folder.path, 'out');
    const options = [
      '--pipeline',
      pipeline,
      '--text',
      TEXT,
      '--seqlen',
      '16',
      '--eval-windows',
      '1',
      '--json',
    ];
    const epochs = pipeline === 'omniquant' ? ['--epochs', '1'] : [];
    const { code, stdout } = await run('quantize', model, '--out', out, ...SMALL, ...options, ...epochs);
    expect(code).toBe(0);
    const made = JSON.parse(stdout);
    expect(made.settings.weightBits).toBe(16);
    // The tiny model is stored in 32 bits; lists of salient channels are counted.
    expect(made.bitsPerWeight).toBeGreaterThanOrEqual(32);
    expect(made.bitsPerWeight).toBeLessThan(33);
    expect(made.bitsPerActivation).toBeGreaterThan(4);
    expect(made.perplexity).toBeGreaterThan(1);
    const { quantization_config: config } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    expect(config).toMatchObject({ pipeline, weights: { kind: 'float' }, activations: { bits: 4 } });
    expect((await run('inspect', out)).stdout).toContain(`spiking W16A4, ${pipeline}, lossless range`);
    const { code: spoken } = await run(
      'generate',
      out,
      '--prompt',
      'A king',
      '--max-tokens',
      '2',
      '--backend',
      'reference',
    );
    expect(spoken).toBe(0);
  },
);

/** Options of a comparison over one window, whose rows are kept in a folder. */
const sharedIn = (folder: string): string[] => {
  const windows = ['--window', '16', '--max-windows', '1'];
  return ['--text', TEXT, ...windows, '--cache', join(folder, 'cache')];
};

test('compare --wbits 16 measures every method that runs unasked', async () => {
  using folder = scratch();
  const model = await writeTinyModel(join(folder.path, 'tiny'));
  const names = METHODS.filter(({ slow, baseline }) => !slow && !baseline).map(({ name }) => name);
  const shared = sharedIn(folder.path);
  const { code, stdout } = await run(
    'compare',
    model,
    ...SMALL,
    ...shared,
    '--methods',
    names.join(),
    '--json',
  );
  expect(code).toBe(0);
  const { rows } = JSON.parse(stdout);
  expect(rows.map(({ method, error }: { method: string; error: unknown }) => [method, error])).toEqual(
    names.map((name) => [name, null]),
  );
  for (const { method, bitsPerWeight } of rows) {
    if (method.startsWith('ternary')) continue;
    expect(bitsPerWeight, method).toBeGreaterThanOrEqual(32);
  }
}, 60_000);

test('compare takes the options of each pipeline to its methods, and to no other', async () => {
  using folder = scratch();
  const model = await writeTinyModel(join(folder.path, 'tiny'));
  const shared = sharedIn(folder.path);
  const options = ['--damping', '0.02', '--epochs', '1', '--samples', '1', '--backend', 'reference'];
  const methods = ['--methods', 'rtn,gptq,ternary,omniquant', '--json'];
  const { stdout } = await run('compare', model, ...shared, ...options, ...methods);
  const { rows } = JSON.parse(stdout);
  expect(rows.map(({ settings }: { settings: { options: unknown } }) => settings.options)).toEqual([
    {},
    { damping: 0.02 },
    { damping: 0.02, weights: 'ternary' },
    { epochs: 1 },
  ]);
}, 60_000);

test.each([
  ['--head-bits 8', '--head-bits is --embedding-bits now', { embeddingBits: 8 }],
  ['--kv published', '--kv published is --kv whole now', { key: 'whole' }],
  ['--range published', '--range published is --range saturating now', { range: 'saturating' }],
  ['--saliency published', '--saliency published is --saliency obs now', { saliency: 'obs' }],
])('%s is still understood, and the new word is said', (typed, line, settings) => {
  const command = withSettings(new Command('quantize'));
  command.parse(typed.split(' '), { from: 'user' });
  expect(settingsOf(command)).toMatchObject(settings);
  expect(olderWords(command)).toEqual([line]);
});

test('an older option of a pipeline belongs to it', () => {
  const command = withSettings(new Command('quantize'));
  command.parse(['--pipeline', 'gptq', '--weights', 'ternary', '--equal-steps', '1.7'], { from: 'user' });
  expect(settingsOf(command).options).toEqual({ weights: 'ternary', meanSteps: 1.7 });
  expect(olderWords(command)).toEqual(['--equal-steps is --mean-steps now']);
});
