import { expect, test } from 'vitest';
import { sizes } from '../src/options.ts';

test.each([
  ['0', 0],
  ['4096', 4096],
  ['500MB', 500e6],
  ['1.5 GB', 1.5e9],
  ['2GiB', 2 ** 31],
  ['64k', 64_000],
  ['1tib', 2 ** 40],
])('%s is %i bytes', (text, bytes) => expect(sizes.parse(text)).toBe(bytes));

test.each(['', 'GB', '-1', '1e9', '2 G B', '3PB', '1 GiBs'])('%j is no size', (text) =>
  expect(sizes.parse(text)).toBeUndefined(),
);
