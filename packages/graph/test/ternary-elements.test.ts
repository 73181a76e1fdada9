import { tritBytes, unpackTrits } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/index.ts';
import {
  eachRow,
  elementBytes,
  elementsAsParts,
  packElements,
  type ElementSteps,
} from '../src/formats/ternary-elements.ts';

describe('weights with steps of their own', () => {
  it('store a map, a trit of every weight, then the further trits of salient ones, without gaps', () => {
    // Rows -1 3 0 and 1 0 -2; the second weight and the last are salient.
    const packed = packElements([-1, 3, 0, 1, 0, -2], Uint8Array.of(0, 1, 0, 0, 0, 1), 2, [1, 3]);
    expect([...packed.salient]).toEqual([0b010, 0b100]);
    // Row 0: -1 +1 0, then +1, +1. Row 1: +1 0 -1, then -1, 0.
    expect([...packed.trits]).toEqual([0b10_01_10_00, 0b00_01_10_10, 0b01_00]);
    expect(elementBytes(6, 2, [1, 3])).toBe(3);
  });

  it.each([
    { C: 1, steps: [1, 3] },
    { C: 8, steps: [1, 2] },
    { C: 13, steps: [2, 7] },
    { C: 65, steps: [1, 3] },
  ] as const)('give back $C columns of $steps steps, and both parts of them', ({ C, steps }) => {
    const [O, random] = [5, createRandom(C)];
    const salient = Uint8Array.from({ length: O * C }, () => random.integer(0, 1));
    const k = Int8Array.from(salient, (bit) => random.integer(-steps[bit], steps[bit]));
    const packed = packElements(k, salient, O, steps);
    const rows: number[] = [];
    eachRow(packed, O, C, steps, (row, map, o) => {
      rows.push(...row);
      expect([...map]).toEqual([...salient.subarray(o * C, (o + 1) * C)]);
    });
    expect(rows).toEqual([...k]);

    const [few, more] = steps;
    const bothSteps = new Uint8Array(2 * C).fill(few, 0, C).fill(more, C);
    const parts = unpackTrits(elementsAsParts(packed, O, C, steps), O, bothSteps);
    k.forEach((value, i) => {
      const at = Math.floor(i / C) * 2 * C + (i % C);
      expect([parts[at], parts[at + C]]).toEqual(salient[i] === 1 ? [0, value] : [value, 0]);
    });
    expect(elementsAsParts(packed, O, C, steps)).toHaveLength(
      O * tritBytes([[...Array<number>(few - 1).fill(0), C, ...Array<number>(more - few - 1).fill(0), C]]),
    );
  });

  it.each([
    { k: 2, bit: 0, message: 'from -1 to 1 for a weight with 1 steps, received 2 at output 1, channel 0' },
    { k: -4, bit: 1, message: 'from -3 to 3 for a weight with 3 steps, received -4 at output 1, channel 0' },
  ])('refuse $k where the map says $bit', ({ k, bit, message }) => {
    const steps: ElementSteps = [1, 3];
    expect(() => packElements([0, k], Uint8Array.of(0, bit), 2, steps)).toThrow(message);
  });
});
