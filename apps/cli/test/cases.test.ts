/** Model folders with a fault or a freedom that real ones have, as the command line meets them; they lie outside the repository. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { afterEach, expect, it, vi, type TestContext } from 'vitest';
import { run, scratch } from './run.ts';

const parent = join(sharedDirectory() ?? '', 'cases');
const names = existsSync(parent) ? readdirSync(parent) : [];

function caseOf({ skip }: TestContext, number: string): string {
  const name = names.find((each) => each.startsWith(`${number}-`));
  skip(name === undefined, 'the folder of cases is not there');
  return join(parent, name!);
}

afterEach(() => vi.unstubAllEnvs());

it('case 06: scaling without its type is refused by name', async (context) => {
  const { code, stderr } = await run('inspect', caseOf(context, '06'));
  expect({ code, named: stderr.includes('rope_type') }).toEqual({ code: 1, named: true });
});

it('case 07: a text ends at the tokens of generation_config.json', async (context) => {
  const folder = caseOf(context, '07');
  const { stdout } = await run('generate', folder, '--prompt', 'Once', '--max-tokens', '12', '--json');
  expect(JSON.parse(stdout).ids).toEqual([1, 403, 321, 337, 486, 261, 229]);
});

it('case 09: chat templates and added tokens travel with the model', async (context) => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  await run('quantize', caseOf(context, '09'), '--out', out, '--json');
  expect(readdirSync(out)).toEqual(expect.arrayContaining(['chat_template.jinja', 'added_tokens.json']));
});

it('case 21: a linear of whole numbers is refused before anything is written', async (context) => {
  using folder = scratch();
  const { code, stderr } = await run('quantize', caseOf(context, '21'), '--out', join(folder.path, 'out'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/model\.layers\.0\.mlp\.up_proj\.weight.*received I8; take the float model/);
  expect(readdirSync(folder.path)).toEqual([]);
});

it('case 25: a whole snapshot of the cache is used without a network', async (context) => {
  vi.stubEnv('HF_HUB_CACHE', join(caseOf(context, '25'), 'hub'));
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  expect(await run('inspect', 'acme/tiny')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('llama'),
  });
  expect(await run('inspect', 'acme/other')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HF_HUB_OFFLINE'),
  });
});

it('case 28: a doubled BOS is told', async (context) => {
  const folder = caseOf(context, '28');
  const twice = await run('generate', folder, '--prompt', '<s>Once upon a time', '--max-tokens', '2');
  expect(twice.stderr).toContain('BOS (token 1) stands twice');
  const once = await run('generate', folder, '--prompt', 'Once upon a time', '--max-tokens', '2');
  expect(once.stderr).not.toContain('BOS');
});

it('case 30: a loss whose exponential is no number is named', async (context) => {
  const folder = caseOf(context, '30');
  const { code, stderr } = await run(
    'eval',
    folder,
    '--text',
    join(folder, 'text.txt'),
    '--window',
    '32',
    '--json',
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/perplexity: .*received [\d.]+ nats per token; look at this loss/);
});
