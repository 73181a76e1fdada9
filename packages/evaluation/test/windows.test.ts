import { expect, test } from 'vitest';
import { cutWindows } from '../src/index.ts';

const ids = Array.from({ length: 11 }, (_, i) => i);

test('windows do not overlap and the tail is dropped', () => {
  expect(cutWindows(ids, { window: 4 })).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
  expect(cutWindows(ids, { window: 3, skipWindows: 1, maxWindows: 2 })).toEqual([
    [3, 4, 5],
    [6, 7, 8],
  ]);
  expect(cutWindows(ids, { window: 11, maxWindows: 9 })).toEqual([ids]);
});

test('a text without a window says how long it must be', () => {
  expect(() => cutWindows(ids, { window: 12 })).toThrow(
    'text: expected at least 12 tokens (one window of 12), received 11; take a longer text or a smaller window.',
  );
  expect(() => cutWindows([], { window: 2 })).toThrow('received 0');
  expect(() => cutWindows(ids, { window: 4, skipWindows: 2 })).toThrow('at least 12 tokens (3 windows of 4)');
});

test.each([
  [{ window: 1 }, 'window: expected a whole number of 2 or more tokens, received 1.'],
  [{ window: 2.5 }, 'received 2.5.'],
  [{ window: 4, maxWindows: 0 }, 'maxWindows: expected a whole number above 0, received 0.'],
  [{ window: 4, skipWindows: -1 }, 'skipWindows: expected a whole number, received -1.'],
])('refuses %j', (options, message) => {
  expect(() => cutWindows(ids, options)).toThrow(message);
});
