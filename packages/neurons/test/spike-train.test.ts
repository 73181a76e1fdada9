import { describe, expect, it } from 'vitest';
import {
  bitsPerActivation,
  counts,
  firingStatistics,
  gifTrain,
  mergedBits,
  pack,
  ternaryTrain,
  unpack,
  unroll,
  unrollTernary,
} from '../src/index.ts';
import { uniform } from './random.ts';

const codesTo = (most: number, least = 0) => Array.from({ length: most - least + 1 }, (_, i) => least + i);

describe('spike trains', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('carry every code of 4 steps of %i bits', (bits) => {
    const codes = codesTo(4 * (2 ** bits - 1));
    const train = gifTrain(codes, { steps: 4, bits });
    expect([...counts(train)]).toEqual(codes);
    expect(train.packed.length).toBe(4 * Math.ceil((codes.length * bits) / 8));
    const spikes = unpack(train);
    codes.forEach((code, c) => {
      const fired = codesTo(3).map((t) => spikes[t * codes.length + c]);
      expect(fired).toEqual(unroll(code, 4, 2 ** bits - 1));
    });
  });

  it.each([1, 2, 3, 4])('carry every ternary code of %i steps', (steps) => {
    const codes = codesTo(steps, -steps);
    const train = ternaryTrain(codes, { steps });
    expect(train).toMatchObject({ steps, channels: codes.length, bits: 2, signed: true });
    expect([...counts(train)]).toEqual(codes);
    const spikes = unpack(train);
    codes.forEach((code, c) => {
      const fired = codesTo(steps - 1).map((t) => spikes[t * codes.length + c]);
      expect(fired).toEqual(unrollTernary(code, steps));
    });
  });

  it.each([
    { bits: 1, signed: false },
    { bits: 2, signed: true },
    { bits: 3, signed: false },
    { bits: 7, signed: true },
    { bits: 8, signed: false },
    { bits: 8, signed: true },
  ])('pack and unpack any spikes: $bits bits, signed $signed', ({ bits, signed }) => {
    const next = uniform(bits);
    const least = signed ? -(2 ** (bits - 1)) : 0;
    for (const channels of [1, 2, 7, 8, 9, 33]) {
      const spikes = Int16Array.from({ length: 5 * channels }, () => least + Math.floor(next() * 2 ** bits));
      expect(unpack(pack(spikes, { steps: 5, channels, bits, signed }))).toEqual(spikes);
    }
  });

  it('have a layout that can be read: low bits first, each step on its own bytes', () => {
    const binary = pack([1, 0, 1, 1, 0, 0], { steps: 2, channels: 3, bits: 1, signed: false });
    expect([...binary.packed]).toEqual([0b101, 0b001]);
    const nibbles = pack([1, 2, 3], { steps: 1, channels: 3, bits: 4, signed: false });
    expect([...nibbles.packed]).toEqual([0x21, 0x03]);
    const ternary = pack([1, 0, -1], { steps: 1, channels: 3, bits: 2, signed: true });
    expect([...ternary.packed]).toEqual([0b11_00_01]);
  });

  it('saturate where codes exceed what the steps can carry', () => {
    expect([...counts(gifTrain([30, 31], { steps: 2, bits: 4 }))]).toEqual([30, 30]);
  });

  it('refuse spikes and shapes that do not fit', () => {
    const shape = { steps: 1, channels: 2, bits: 2, signed: false };
    expect(() => pack([3, 4], shape)).toThrow(
      'pack: expected spike 1 to be a whole number from 0 to 3, received 4.',
    );
    expect(() => pack([1, -3], { ...shape, signed: true })).toThrow(
      'pack: expected spike 1 to be a whole number from -2 to 1, received -3.',
    );
    expect(() => pack([1], shape)).toThrow('pack: expected 1 steps of 2 channels, 2 spikes, received 1.');
    expect(() => pack([], { ...shape, channels: 0 })).toThrow(
      'pack: expected channels to be a whole number from 1 to 2147483647, received 0.',
    );
    expect(() => unpack({ ...shape, packed: new Uint8Array(2) })).toThrow(
      'unpack: expected 1 bytes for 1 steps of 2 channels of 2 bits, received 2.',
    );
    expect(() => gifTrain([1], { steps: 1, bits: 9 })).toThrow(
      'pack: expected bits to be a whole number from 1 to 8, received 9.',
    );
  });
});

describe('firing statistics', () => {
  it('count a spike of m levels as m', () => {
    // channel codes 0, 7, 20, 30 over two steps of 15 levels: [0 0] [7 0] [15 5] [15 15]
    const statistics = firingStatistics(gifTrain([0, 7, 20, 30], { steps: 2, bits: 4 }));
    expect(statistics).toEqual({
      total: 57,
      perActivation: 14.25,
      silent: 3 / 8,
      stepRates: Float64Array.of(37 / 4, 20 / 4),
      channelRates: Float64Array.of(0, 3.5, 10, 15),
    });
  });

  it('count a negative spike as one', () => {
    // [-1 -1] [0 0] [1 0]
    const statistics = firingStatistics(ternaryTrain([-2, 0, 1], { steps: 2 }));
    expect(statistics).toEqual({
      total: 3,
      perActivation: 1,
      silent: 3 / 6,
      stepRates: Float64Array.of(2 / 3, 1 / 3),
      channelRates: Float64Array.of(1, 0, 0.5),
    });
  });
});

describe('bits per activation', () => {
  it('are 4.4 and 4.6 sent, 4.1 carried, in the two W4A4 settings of the paper', () => {
    const tenth = bitsPerActivation({ bits: 4, steps: 2, salient: 0.1 });
    expect(tenth).toEqual({ transmitted: expect.closeTo(4.4, 12), information: expect.closeTo(4.1, 12) });
    const twentieth = bitsPerActivation({ bits: 4, steps: 4, salient: 0.05 });
    expect(twentieth).toEqual({ transmitted: expect.closeTo(4.6, 12), information: expect.closeTo(4.1, 12) });
  });

  it('shrink from T to (T / L) log2 L when L binary steps are merged', () => {
    expect(mergedBits(16, 16)).toBe(4);
    expect(mergedBits(32, 16)).toBe(8);
    expect(mergedBits(8, 2)).toBe(4);
  });

  it('refuse what is no allocation', () => {
    expect(() => bitsPerActivation({ bits: 4, steps: 2, salient: 1.1 })).toThrow(
      'bitsPerActivation: expected salient to be a fraction from 0 to 1, received 1.1.',
    );
    expect(() => mergedBits(16, 1)).toThrow(
      'mergedBits: expected levels to be a whole number from 2 to 65535, received 1.',
    );
  });
});
