/** Model folders whose tokenizers have a fault or a freedom that real ones have; they lie outside the repository. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { expect, it, type TestContext } from 'vitest';
import { openModelFolder, type TextTokenizer } from '../src/index.ts';
import { expectError } from './fixtures.ts';

const parent = join(sharedDirectory() ?? '', 'cases');
const names = existsSync(parent) ? readdirSync(parent) : [];

async function tokenizerOf({ skip }: TestContext, number: string): Promise<TextTokenizer> {
  const name = names.find((each) => each.startsWith(`${number}-`));
  skip(name === undefined, 'the folder of cases is not there');
  await using folder = await openModelFolder(join(parent, name!));
  return folder.tokenizer();
}

it.for([
  ['10', 'the class decides on BOS where only EOS is spoken of', 'Once upon', [1, 403, 407]],
  ['12', 'the class decides on BOS where nothing is said', 'Once upon', [1, 403, 407]],
  ['14', 'Unigram spells characters in bytes', 'a b\n12 é', [1, 261, 268, 13, 475, 479, 410, 485]],
  ['15', 'a match goes with what follows', 'Once upon a time', [1, 403, 407, 261, 378]],
  ['17', 'a text behind an added token is not the first', 'the<img>the', [1, 265, 512, 413, 260]],
] as const)('case %s: %s', async ([number, , text, ids], context) => {
  expect((await tokenizerOf(context, number)).encode(text)).toEqual(ids);
});

it('case 19: a byte order mark of bytes stays', async (context) => {
  const tokenizer = await tokenizerOf(context, '19');
  const ids = [1, 410, 444, 242, 190, 194, 422];
  const stream = tokenizer.stream();
  expect(tokenizer.decode(ids)).toBe('x\uFEFFy');
  expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe('x\uFEFFy');
});

it('case 24: tokenizer.model alone is told with what to do', async (context) => {
  await expectError(
    tokenizerOf(context, '24'),
    'MISSING',
    /received tokenizer\.model only; write tokenizer\.json once/,
  );
});
