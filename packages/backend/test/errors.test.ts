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
