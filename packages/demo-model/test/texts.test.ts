import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { describe, expect, test } from 'vitest';
import { texts } from '../src/index.ts';

const calibration = readFileSync(texts.calibration, 'utf8');
const evaluation = readFileSync(texts.evaluation, 'utf8');

describe.each(Object.entries({ calibration, evaluation }))('the %s text', (_, text) => {
  test('has 14,000 to 16,500 bytes of printable ASCII, one paragraph a line', () => {
    expect(text).toMatch(/^([\x20-\x7e]+\n)+$/);
    expect(text.length).toBeGreaterThanOrEqual(14_000);
    expect(text.length).toBeLessThanOrEqual(16_500);
  });

  test('says nothing twice', () => {
    const sequences = wordSequences(text);
    expect(sequences).toHaveLength(new Set(sequences).size);
  });
});

test('the two texts share no eight words', () => {
  expect(shared(calibration, evaluation)).toEqual([]);
});

test.for(['tales-calibration.txt', 'tales-heldout.txt'])(
  'neither shares eight words with %s',
  (name, { skip }) => {
    const folder = sharedDirectory() ?? skip('the folder of shared models and texts is not there');
    const file = join(folder, 'text', name);
    skip(!existsSync(file), `the folder of shared texts has no ${name}`);
    const book = readFileSync(file, 'utf8');
    expect(shared(calibration, book)).toEqual([]);
    expect(shared(evaluation, book)).toEqual([]);
  },
);

test('the comparison sees eight shared words whatever their case and punctuation, and not seven', () => {
  const told = 'He said: "One day the fox (an old fox) ran away."';
  expect(shared(told, 'ONE DAY - the fox, an old fox, ran home')).toEqual(['one day the fox an old fox ran']);
  expect(shared(told, 'one day the fox an old fox walked home')).toEqual([]);
});

/** Every run of eight consecutive words, in lower case and without punctuation. */
function wordSequences(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+(?:'[a-z]+)*/g) ?? [];
  return words.slice(7).map((_, start) => words.slice(start, start + 8).join(' '));
}

function shared(a: string, b: string): string[] {
  const known = new Set(wordSequences(b));
  return wordSequences(a).filter((sequence) => known.has(sequence));
}
