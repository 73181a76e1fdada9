import { expect, test } from 'vitest';
import { linearOperations } from '../src/index.ts';

/** Steps of C channels of which the first `salient` have T. */
const stepsOf = (C: number, salient: number, T: number): Uint8Array =>
  new Uint8Array(C).fill(1).fill(T, 0, salient);

test('LLaMA-7B at W4A4, two steps in a tenth of the channels, as the paper counts', () => {
  // 4096 channels have 410 salient ones, 11008 have 1101: the quota leaves floor(0.9 C) low.
  const layer = [
    ...Array.from({ length: 4 }, () => ({ outputs: 4096, inputs: 4096, salient: 410 })),
    ...Array.from({ length: 2 }, () => ({ outputs: 11008, inputs: 4096, salient: 410 })),
    { outputs: 4096, inputs: 11008, salient: 1101 },
  ];
  const model = (T: number) => {
    let [macs, ace] = [0, 0];
    for (const { outputs, inputs, salient } of layer) {
      const silent = new Uint8Array(inputs);
      const activations = { steps: stepsOf(inputs, salient, T), levels: silent, events: silent };
      const counted = linearOperations({ outputs, inputs, weightBits: 4, activationBits: 4, activations });
      macs += 32 * counted.macs;
      ace += 32 * counted.ace;
    }
    return { macs, ace };
  };
  expect(model(1)).toEqual({ macs: 6_476_005_376, ace: 103_616_086_016 });
  expect(model(2).macs).toBe(6_476_005_376);
  expect((model(2).ace / 1e11).toFixed(4)).toBe('1.1399');
});

test('codes against spikes, counted by hand', () => {
  // Channel 0: one step of 3 levels. Channel 1: two steps, 15 and 2 levels. Channel 2: silent.
  const activations = { steps: [1, 2, 1], levels: [3, 17, 0], events: [1, 2, 0] };
  expect(linearOperations({ outputs: 2, inputs: 3, weightBits: 3, activationBits: 4, activations })).toEqual({
    macs: 6,
    dense: 8, // 4 steps, 2 outputs
    skipped: 2, // the silent step, 2 outputs
    multiplications: 6,
    additions: 40, // 20 levels, 2 outputs
    ace: 96, // 8 products of 3 and 4 bits
    aceLog3: 96,
  });
});

test('trits against floats and against spikes, counted by hand', () => {
  // Rows of weights k: [1, -2], [0, 1]; channel 0 has one trit a weight, channel 1 has two.
  const weights = { steps: [1, 2], trits: [1, 3] };
  const operands = { outputs: 2, inputs: 2, weightBits: 2, weights };
  expect(linearOperations({ ...operands, activationBits: 16 })).toEqual({
    macs: 4,
    dense: 6,
    skipped: 2,
    multiplications: 0,
    additions: 4,
    ace: 6 * 2 * 16,
    aceLog3: 6 * Math.log2(3) * 16,
  });
  // Channel 0 is silent in one of its two steps; channel 1 fires in its one.
  const activations = { steps: [2, 1], levels: [9, 4], events: [1, 1] };
  expect(linearOperations({ ...operands, activationBits: 4, activations })).toEqual({
    macs: 4,
    dense: 2 * (1 * 2 + 2 * 1),
    skipped: 8 - (1 * 1 + 3 * 1),
    multiplications: 0,
    additions: 4,
    ace: 8 * 2 * 4,
    aceLog3: 8 * Math.log2(3) * 4,
  });
});

test('floats leave nothing out, and cannot be added alone', () => {
  expect(linearOperations({ outputs: 3, inputs: 5, weightBits: 16, activationBits: 16 })).toEqual({
    macs: 15,
    dense: 15,
    skipped: 0,
    multiplications: 15,
    additions: null,
    ace: 15 * 256,
    aceLog3: 15 * 256,
  });
});

test('two bits that are codes are no trits', () => {
  const two = linearOperations({ outputs: 3, inputs: 5, weightBits: 2, activationBits: 16 });
  expect(two.aceLog3).toBe(two.ace);
});
