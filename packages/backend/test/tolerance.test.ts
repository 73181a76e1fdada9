import { expect, it } from 'vitest';
import { firstDifference } from '../src/index.ts';

const none = { absolute: 0, relative: 0, ofLargest: 0 };

it('allows absolute + relative |want| + ofLargest max |want|, and not more', () => {
  const tolerance = { absolute: 0.5, relative: 0.25, ofLargest: 0.125 };
  // The largest is 8: at 4 that allows 0.5 + 1 + 1.
  expect(firstDifference([8, 6.5], [8, 4], tolerance)).toBeUndefined();
  expect(firstDifference([8, 6.6], [8, 4], tolerance)).toEqual({ index: 1, got: 6.6, want: 4, allowed: 2.5 });
});

it('names the first element that differs', () => {
  expect(firstDifference([1, 2, 9, 9], [1, 2, 3, 4], none)).toMatchObject({ index: 2, got: 9, want: 3 });
  expect(firstDifference([1, 2, 3, 4], [1, 2, 3, 4], none)).toBeUndefined();
  expect(firstDifference([], [], none)).toBeUndefined();
});

it('NaN and infinities match only themselves', () => {
  const wide = { absolute: 1, relative: 1, ofLargest: 1 };
  expect(
    firstDifference([Number.NaN, Infinity, -Infinity], [Number.NaN, Infinity, -Infinity], none),
  ).toBeUndefined();
  expect(firstDifference([0], [Number.NaN], wide)).toMatchObject({ index: 0 });
  expect(firstDifference([Number.NaN], [0], wide)).toMatchObject({ index: 0 });
  expect(firstDifference([5], [Infinity], wide)).toMatchObject({ index: 0 });
  expect(firstDifference([-Infinity], [Infinity], wide)).toMatchObject({ index: 0 });
  expect(firstDifference([Infinity], [1e30], wide)).toMatchObject({ index: 0 });
});

it('minus zero is zero, and a missing element is a difference', () => {
  expect(firstDifference([-0], [0], none)).toBeUndefined();
  expect(firstDifference([1], [1, 1], none)).toMatchObject({ index: 1 });
});
