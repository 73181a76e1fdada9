import { expect, it } from 'vitest';
import { SpikeError } from '../src/index.ts';

it('is one sentence: where, expected, received', () => {
  const error = new SpikeError('SHAPE', {
    where: 'linear_f32',
    expected: 'x of [N, 64]',
    received: '[2, 63]',
  });
  expect(error.message).toBe('linear_f32: expected x of [N, 64], received [2, 63].');
  expect(error).toBeInstanceOf(Error);
  expect([error.name, error.code]).toEqual(['SpikeError', 'SHAPE']);
});

it('adds what to do and keeps its cause', () => {
  const cause = new Error('disk');
  const error = new SpikeError('EXISTS', {
    where: '--out',
    expected: 'a new folder',
    received: 'out',
    remedy: 'name another',
    cause,
  });
  expect(error.message).toBe('--out: expected a new folder, received out; name another.');
  expect(error.cause).toBe(cause);
});

it('a sentence is one line, whatever is in it', () => {
  const { message } = new SpikeError('MISSING', {
    where: 'a\nb\u001b[31m',
    expected: 'x\u2028\u202e',
    received: '\0\t',
  });
  expect(message).toBe('a\\nb\\u001b[31m: expected x\\u2028\\u202e, received \\u0000\\t.');
});

it('a sentence has 500 characters at most, with the beginning and the end of what is too long', () => {
  const long = `first${'x'.repeat(1e6)}last`;
  const one = new SpikeError('MISSING', {
    where: 'here',
    expected: 'a file',
    received: long,
    remedy: 'look',
  });
  expect(one.message).toMatch(/^here: expected a file, received firstx+…x+last; look\.$/);
  const all = new SpikeError('MISSING', { where: long, expected: long, received: long, remedy: long });
  expect(all.message).toMatch(
    /^firstx+…x+last: expected firstx+…x+last, received firstx+…x+last; firstx+…x+last\.$/,
  );
  for (const { message } of [one, all]) {
    expect(message.length).toBeGreaterThan(400);
    expect(message.length).toBeLessThanOrEqual(500);
  }
});
