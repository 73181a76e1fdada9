import { expect, it } from 'vitest';
import { createRandom } from '../src/index.ts';

/** What Python's `random.seed(n)`, `getrandbits(32)`, `randint` and `random` give. */
it.each([
  { seed: 2, words: [4106135923, 3707026329, 4070888059], integers: [29649, 48016, 44497, 189298] },
  { seed: 0, words: [3626764237, 1654615998, 3255389356], integers: [201979, 220500, 21225, 135746] },
])('draws as Python does from seed $seed', ({ seed, words, integers }) => {
  const bits = createRandom(seed);
  expect(words.map(() => bits.uint32())).toEqual(words);
  const random = createRandom(seed);
  expect(integers.map(() => random.integer(0, 339420))).toEqual(integers);
});

it('draws 53-bit reals as Python does', () => {
  const random = createRandom(42);
  expect([random.real(), random.real()]).toEqual([0.6394267984578837, 0.025010755222666936]);
});

it('goes on after its 624 words', () => {
  const random = createRandom(1);
  const words = Array.from({ length: 2000 }, () => random.uint32());
  expect(new Set(words).size).toBe(2000);
  expect(words.slice(622, 626)).toEqual([1405491179, 802355090, 1360367077, 3404757168]);
});

it('draws whole numbers between both ends', () => {
  const random = createRandom(7);
  const drawn = Array.from({ length: 600 }, () => random.integer(-1, 1));
  expect(new Set(drawn)).toEqual(new Set([-1, 0, 1]));
  expect(random.integer(5, 5)).toBe(5);
});

it.each([
  [1, 0],
  [0, 2 ** 32],
])('refuses to draw from %d to %d', (low, high) => {
  expect(() => createRandom(0).integer(low, high)).toThrow(
    `random: expected a range of 1 to 2^32 - 1 whole numbers, received ${low} to ${high}.`,
  );
});
