import { expect, it } from 'vitest';
import { allocateQuota, rankChannels, salientCount, sumQueryGroups, sumScores } from '../src/index.ts';

it.each([
  { channels: 4096, fraction: 0.1, count: 410 },
  { channels: 4096, fraction: 0.05, count: 205 },
  { channels: 11008, fraction: 0.1, count: 1101 },
  { channels: 11008, fraction: 0.05, count: 551 },
  { channels: 10, fraction: 0.9, count: 9 },
  { channels: 10, fraction: 1 - 0.9, count: 1 },
  { channels: 3, fraction: 1 / 3, count: 1 },
  { channels: 7, fraction: 0, count: 0 },
  { channels: 7, fraction: 1, count: 7 },
  { channels: 7, fraction: 0.001, count: 1 },
])('$fraction of $channels channels is $count', ({ channels, fraction, count }) => {
  expect(salientCount(channels, fraction)).toBe(count);
});

it.each([-0.1, 1.1, Number.NaN])('refuses a fraction of %d', (fraction) => {
  expect(() => salientCount(8, fraction)).toThrow(
    `salient fraction: expected a number from 0 to 1, received ${fraction}.`,
  );
});

it('ranks by falling score, signed, equal scores in channel order', () => {
  expect(Array.from(rankChannels([0, -3, 2, 0, 2.5, 2]))).toEqual([4, 2, 5, 0, 3, 1]);
});

it('gives the highest scores more steps; a tie goes to the first channels', () => {
  expect(Array.from(allocateQuota([-9, 1, 3, 2], 0.5, 4))).toEqual([1, 1, 4, 4]);
  expect(Array.from(allocateQuota([5, 5, 5, 5, 6], 0.4, 2))).toEqual([2, 1, 1, 1, 2]);
  expect(Array.from(allocateQuota([1, 2], 0, 2))).toEqual([1, 1]);
  expect(Array.from(allocateQuota([1, 2], 1, 2))).toEqual([2, 2]);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses a score of %d', (score) => {
  expect(() => allocateQuota([0, score], 0.5, 2)).toThrow(
    `saliency: expected finite scores, received ${score} at channel 1.`,
  );
});

it('sums the scores of linears with one input', () => {
  expect(Array.from(sumScores([[1, 2], new Float64Array([10, 20]), [100, 200]]))).toEqual([111, 222]);
});

it('sums the scores of the query heads that share a key/value head', () => {
  const perQueryHead = [1, 2, 10, 20, 100, 200, 1000, 2000];
  expect(Array.from(sumQueryGroups(perQueryHead, 4, 2))).toEqual([11, 22, 1100, 2200]);
  expect(Array.from(sumQueryGroups(perQueryHead, 4, 1))).toEqual([1111, 2222]);
  expect(Array.from(sumQueryGroups(perQueryHead, 4, 4))).toEqual(perQueryHead);
});
