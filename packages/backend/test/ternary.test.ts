import { expect, it } from 'vitest';
import {
  checkTrits,
  countWeightSteps,
  createReferenceBackend,
  createRunner,
  packTrits,
  tritBytes,
  unpackTrits,
  weightClasses,
  type WeightChannels,
} from '../src/index.ts';
import { addFloats, linearTernary, type Arithmetic } from '../src/reference/ternary.ts';

const steps = Uint8Array.of(2, 1, 1);
const weights = [2, -1, 0, -1, 1, 1]; // [2, 3]
const tensor = (type: 'uint8' | 'float32' | 'int32', data: number[] | Uint8Array, ...dims: number[]) => {
  const array = { uint8: Uint8Array, float32: Float32Array, int32: Int32Array }[type];
  return { type, data: array.from(data), dims };
};

it('packs a plane a step, classes in rising order, a trit + 1 in two bits', () => {
  // Row 0: channels 1 and 2, then the two steps of channel 0: -1 0 +1 +1. Row 1: +1 +1 -1 0.
  expect([...packTrits(weights, 2, steps)]).toEqual([0b10_10_01_00, 0b01_00_10_10]);
});

it('counts channels, classes and bytes', () => {
  expect(countWeightSteps([1, 3, 1], 'here')).toEqual([[2, 0, 1]]);
  expect(weightClasses([[2, 0, 1]])).toEqual([
    { steps: 1, group: 0 },
    { steps: 3, group: 0 },
  ]);
  expect(tritBytes([[2, 0, 1]])).toBe(2); // 5 trits
});

it.each([1, 3, 4, 5, 64, 65])('gives back all weights of -T..T of %i channels', (C) => {
  const all = Uint8Array.from({ length: C }, (_, c) => 1 + ((c * 3) % 7));
  const k = Int8Array.from({ length: 15 * C }, (_, i) => {
    const T = all[i % C];
    return (Math.floor(i / C) % (2 * T + 1)) - T;
  });
  expect(unpackTrits(packTrits(k, 15, all), 15, all)).toEqual(k);
});

it('counts steps and classes of each group of columns; the last takes what is left', () => {
  const grouped = [[1, 0, 1], [2], [0, 0, 1]];
  expect(countWeightSteps([1, 3, 1, 1, 3], 'here', { group: 2 })).toEqual(grouped);
  expect(weightClasses(grouped)).toEqual([
    { steps: 1, group: 0 },
    { steps: 1, group: 1 },
    { steps: 3, group: 0 },
    { steps: 3, group: 2 },
  ]);
  expect(tritBytes(grouped)).toBe(3); // 9 trits
  expect(countWeightSteps([1, 3, 1], 'here', { group: 3 })).toEqual([[2, 0, 1]]);
  expect(countWeightSteps([1, 3, 1], 'here', { group: 128 })).toEqual([[2, 0, 1]]);
  // Two parts of three channels in groups of two.
  expect(countWeightSteps([1, 1, 1, 2, 2, 2], 'here', { group: 2, parts: 2 })).toEqual([
    [2, 2],
    [1, 1],
  ]);
});

it.each([0, -1, 1.5, Number.NaN])('refuses groups of %d columns', (group) => {
  expect(() => countWeightSteps([1, 3, 1], 'here', { group })).toThrow(
    `here: expected groups of a whole number of columns, 1 or more, received ${group}.`,
  );
});

it('refuses what is no weight', () => {
  const message = (call: () => unknown): string => {
    try {
      call();
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  expect(message(() => packTrits([2], 1, [1]))).toBe(
    'packTrits: expected a whole number from -1 to 1 for a weight with 1 steps, received 2 at output 0, channel 0.',
  );
  expect(message(() => packTrits([0.5], 1, [1]))).toContain('received 0.5 at output 0');
  expect(message(() => packTrits([1, 1], 1, [1]))).toBe(
    'packTrits: expected 1 rows of 1 weights, received 2 weights.',
  );
  expect(message(() => countWeightSteps([1, 8], 'here'))).toBe(
    'here: expected weight steps from 1 to 7, received 8 at channel 1.',
  );
  expect(message(() => checkTrits([0b10_10_01_00, 0b00_11_00_00], 'here'))).toBe(
    'here: expected trits stored as 0, 1 or 2, received 3 in byte 1.',
  );
});

const layout = { weightChannels: [[2, 1]], weightParts: 1 };
const constants = {
  weightSteps: tensor('uint8', steps, 1, 3),
  weight: tensor('uint8', packTrits(weights, 2, steps), 2, 1),
  weightScale: tensor('float32', [10, 1, 100, 2], 2, 2),
  bias: tensor('float32', [0.5, 0], 2),
};

it('adds and subtracts inputs, then multiplies once a class', async () => {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const linear = runner.prepare('linear_ternary_f32', layout, constants);
  const { y } = runner.apply(linear, { x: runner.upload(tensor('float32', [3, 5, 7], 1, 3)) });
  // 10 (-5) + 1 (3 + 3) + 0.5, 100 (5 + 7) + 2 (-3)
  expect([...(await backend.read(y)).data]).toEqual([-43.5, 1194]);
});

it.each([
  { group: undefined, W: 2, weightChannels: [[15, 0, 5]] },
  {
    group: 8,
    W: 6,
    weightChannels: [
      [6, 0, 2],
      [6, 0, 2],
      [3, 0, 1],
    ],
  },
])(
  'adds once a spike, and multiplies once an output and class, groups of $group',
  ({ group, W, weightChannels }) => {
    const [N, O] = [3, 5];
    const channelSteps = Uint8Array.from({ length: 20 }, (_, c) => (c % 4 === 0 ? 3 : 1));
    const C = channelSteps.length;
    const k = Array.from({ length: O * C }, (_, i) => {
      const T = channelSteps[i % C];
      return ((i * 7) % (2 * T + 1)) - T;
    });
    const spikes = k.reduce((sum, value) => sum + Math.abs(value), 0);
    const packed = linearTernary.prepare!(
      {
        weightSteps: channelSteps,
        weight: packTrits(k, O, channelSteps),
        weightScale: Float32Array.from({ length: O * W }, (_, i) => 1 + i),
      },
      { N, C, O, W },
      { weightChannels, weightParts: 1 },
    );
    const counts = { additions: 0, multiplications: 0 };
    const counting: Arithmetic = {
      add: (a, b) => (counts.additions++, a + b),
      subtract: (a, b) => (counts.additions++, a - b),
      multiply: (a, b) => (counts.multiplications++, a * b),
    };
    const x = Float32Array.from({ length: N * C }, (_, i) => (i % 9) - 4);
    const y = new Float32Array(N * O);
    addFloats({ x, y }, { N, C, O, W }, packed, counting);
    // A product is added to its output.
    expect(counts).toEqual({ additions: N * (spikes + O * W), multiplications: N * O * W });
    const product = (n: number, o: number): number =>
      channelSteps.reduce((sum, T, c) => sum + (1 + o * W + classOf(T, c)) * k[o * C + c] * x[n * C + c], 0);
    const classOf = (T: number, c: number): number =>
      (T === 1 ? 0 : W / 2) + (group === undefined ? 0 : Math.floor(c / group));
    expect([...y]).toEqual(Array.from({ length: N * O }, (_, i) => product(Math.floor(i / O), i % O)));
  },
);

it('adds up the parts of weights, of which each has the scale of its steps', async () => {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  // k of one step is -1 0 1 and 0 1 0, of two steps 0 2 0 and -1 0 2.
  const parts = [-1, 0, 1, 0, 2, 0, 0, 1, 0, -1, 0, 2];
  const linear = runner.prepare(
    'linear_ternary_f32',
    { weightChannels: [[3, 3]], weightParts: 2 },
    {
      weightSteps: tensor('uint8', [1, 1, 1, 2, 2, 2], 2, 3),
      weight: tensor('uint8', packTrits(parts, 2, [1, 1, 1, 2, 2, 2]), 2, 3),
      weightScale: tensor('float32', [10, 1, 100, 2], 2, 2),
    },
  );
  const { y } = runner.apply(linear, { x: runner.upload(tensor('float32', [3, 5, 7], 1, 3)) });
  // 10 (-3 + 7) + 1 (2 5), 100 (5) + 2 (-3 + 2 7)
  expect([...(await backend.read(y)).data]).toEqual([50, 522]);
});

it('adds and subtracts codes of spikes, in gathered order, less the zero point of their class', async () => {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const gif = { bits: 4, range: 'lossless', classes: [1, 2] } as const;
  const linear = runner.prepare(
    'linear_ternary_codes_f32',
    { ...gif, ...layout },
    { ...constants, steps: tensor('uint8', [1, 2, 1], 3) },
  );
  const { y } = runner.apply(linear, {
    codes: runner.upload(tensor('uint8', [3, 7, 20], 1, 3)), // channels 0, 2, then 1
    scale: runner.upload(tensor('float32', [2, 1], 1, 2)),
    zero: runner.upload(tensor('int32', [4, 8], 1, 2)),
  });
  // Channels are -1 and 3 times 2, and 12: 10 (-12) + 1 (2 (-2)) + 0.5, 100 (12 + 6) + 2 (2)
  expect([...(await backend.read(y)).data]).toEqual([-123.5, 1804]);
});

it('refuses weights that are not as their attributes say', () => {
  using backend = createReferenceBackend();
  const prepare =
    (weightChannels: WeightChannels, change: object, weightParts = 1) =>
    () =>
      backend.prepare('linear_ternary_f32', { weightChannels, weightParts }, { ...constants, ...change });
  expect(prepare([[1, 2]], { weight: tensor('uint8', [0, 0, 0, 0], 2, 2) })).toThrow(
    'expected weightSteps with 1, 2 channels of 1, 2, ... steps, as weightChannels says, received 2, 1.',
  );
  expect(prepare([[2, 1]], { weight: tensor('uint8', [255, 0], 2, 1) })).toThrow(
    'prepare linear_ternary_f32: expected trits stored as 0, 1 or 2, received 3 in byte 0.',
  );
  expect(prepare([[3, 0]], {})).toThrow('the last above 0, no group but the last of another size');
  expect(prepare([], {})).toThrow('for each group of columns the numbers of channels');
  expect(prepare([[1], [1, 1]], {})).toThrow('that one no larger, received [[1],[1,1]].');
  expect(prepare([[2, 1]], {}, 2)).toThrow(
    'weightChannels: expected groups with all their channels in each of 2 parts, received [[2,1]].',
  );
  // Channels 0 and 1 are a group: one of two steps and one of one, as many of each as in another order of the channels.
  const scale = tensor('float32', [1, 2, 3, 4, 5, 6], 2, 3);
  expect(prepare([[1, 1], [1]], { weightScale: scale })).not.toThrow();
  expect(prepare([[2], [0, 1]], { weightScale: tensor('float32', [1, 2, 3, 4], 2, 2) })).toThrow(
    'expected weightSteps with 2 | 0, 1 channels of 1, 2, ... steps, as weightChannels says, received 1, 1 | 1.',
  );
});
