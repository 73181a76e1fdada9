import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { expect, test } from 'vitest';
import { cutWindows, PROTOCOLS, tokenise } from '../src/index.ts';

const { wikitext2, c4, text } = PROTOCOLS;

test('a text stays as it stands', () => {
  expect(text.read('a\n b', 'file')).toEqual({ text: 'a\n b', parts: 1 });
});

test('rows of WikiText-2 keep their line feed, blank ones are empty', () => {
  expect(wikitext2.read(' \n = A = \n \n b\n', 'file')).toEqual({
    text: '\n\n = A = \n\n\n\n\n b\n',
    parts: 4,
  });
  expect(() => wikitext2.read('one line', 'file')).toThrow(/file: expected the raw file of WikiText-2/);
});

test('the archive has 4,358 rows', ({ skip }) => {
  const path = join(sharedDirectory() ?? '', 'text', 'wikitext-2-raw-test.txt');
  skip(!existsSync(path), 'the text is not there');
  const read = wikitext2.read(readFileSync(path, 'utf8'), path);
  expect({ parts: read.parts, characters: read.text.length }).toEqual({ parts: 4358, characters: 1_294_336 });
});

test('documents of C4 are joined with a space, from a list or from lines', () => {
  const documents = ['a', 'b\n'].map((each) => ({ text: each, url: 'x' }));
  const lines = documents.map((each) => JSON.stringify(each)).join('\n');
  for (const content of [JSON.stringify(documents), lines])
    expect(c4.read(content, 'file')).toEqual({ text: 'a b\n', parts: 2 });
  expect(() => c4.read('[{"text": 1}]', 'file')).toThrow(/received none in document 1/);
  expect(() => c4.read('[]', 'file')).toThrow(/received none/);
  expect(() => c4.read('plain', 'file')).toThrow(/expected JSON lines/);
});

test('Gemma gets BOS at the head of each window, others what their tokenizer puts around the text', () => {
  const encode = (content: string, { special }: { special: boolean }): number[] => [
    ...(special ? [2] : []),
    ...Array.from(content, (each) => each.charCodeAt(0)),
  ];
  const tokenizer = { encode, bos: 2 };
  expect(tokenise('abc', tokenizer, { family: 'llama' })).toEqual({
    ids: [2, 97, 98, 99],
    head: undefined,
  });
  const { ids, head } = tokenise('abcde', tokenizer, { family: 'gemma2', needsBos: true });
  expect(cutWindows(ids, { window: 3, head })).toEqual([
    [2, 97, 98],
    [2, 99, 100],
  ]);
  expect(cutWindows(ids, { window: 3, head, skipWindows: 1 })).toEqual([[2, 99, 100]]);
  expect(() => tokenise('a', { encode, bos: undefined }, { family: 'gemma2', needsBos: true })).toThrow(
    /expected BOS/,
  );
});
