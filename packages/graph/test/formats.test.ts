/** Weight formats: what they write is what they read, and what they run is their weights times the input. */
import {
  createReferenceBackend,
  createRunner,
  packTrits,
  unpackCodes,
  type HostTensor,
} from '@spikellm/backend';
import { memorySource, randomFloats, seeded } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import {
  channelWeight,
  elementWeight,
  floatFormat,
  floatWeight,
  hostTensor,
  integerFormat,
  integerRowBytes,
  packElements,
  tableFormat,
  ternaryFormat,
  weightFormat,
  type TernarySettings,
  type Weight,
} from '../src/index.ts';
import { prepareEncoding } from '../src/formats/format.ts';
import { packedWeight, WEIGHT_BITS } from './tiny.ts';

const [N, O, C] = [4, 6, 10];
const ROWS = { prefix: 'p', outputs: O, inputs: C };
const random = seeded(13);
const draw = <T>(length: number, of: (i: number) => T): T[] => Array.from({ length }, (_, i) => of(i));

/** A weight, and the numbers [O, C] that it stands for. */
interface Case {
  readonly name: string;
  readonly weight: Weight;
  readonly values: Float64Array;
  /** Mean steps of a channel's weights. */
  readonly steps: readonly number[] | null;
  /** Its tensors that `describe` has to read. */
  readonly looked: readonly string[];
}

function float(): Case {
  const dense = randomFloats(random, [O, C], 1);
  const values = Float64Array.from(dense.data as Float32Array);
  return { name: 'float', weight: floatWeight(dense), values, steps: null, looked: [] };
}

function integer(): Case {
  const weight = packedWeight(random, ROWS);
  const { codes, scale, zero } = weight.packed!;
  const whole = unpackCodes(codes.data as Uint8Array, O, C, WEIGHT_BITS);
  const [scales, zeros] = [scale.data as Float32Array, zero.data as Int32Array];
  const values = Float64Array.from(whole, (code, i) => {
    const o = Math.floor(i / C);
    return (code - zeros[o]) * scales[o];
  });
  return { name: 'integer', weight, values, steps: null, looked: [] };
}

const scales = (columns: number): HostTensor =>
  hostTensor('float32', Float32Array.from(draw(O * columns, () => 0.1 + random.real())), [O, columns]);
/** The scale of a weight: columns are steps, then groups of columns. */
const scaled = (k: ArrayLike<number>, scale: HostTensor, column: (i: number) => number): Float64Array =>
  Float64Array.from(k, (value, i) => {
    const [, W] = scale.dims;
    return value * (scale.data as Float32Array)[Math.floor(i / C) * W + column(i)];
  });

/** Even channels have one step, odd ones three. */
function channels(group?: number): Case {
  const settings: TernarySettings = { kind: 'ternary', steps: [1, 3], ...(group !== undefined && { group }) };
  const steps = Uint8Array.from(draw(C, (c) => (c % 2 === 0 ? 1 : 3)));
  const k = Int8Array.from(draw(O * C, (i) => random.integer(-steps[i % C], steps[i % C])));
  const trits = packTrits(k, O, steps);
  const groups = group === undefined ? 1 : Math.ceil(C / group);
  const scale = scales(2 * groups);
  const weight = channelWeight(settings, {
    steps: hostTensor('uint8', steps),
    trits: hostTensor('uint8', trits, [O, trits.length / O]),
    scale,
  });
  const column = (i: number): number => (i % 2) * groups + Math.floor((i % C) / (group ?? C));
  const name = `ternary, group ${group}`;
  return { name, weight, values: scaled(k, scale, column), steps: [...steps], looked: ['p.weight_steps'] };
}

/** Every third weight has three steps. */
function elements(group?: number): Case {
  const settings: TernarySettings = {
    kind: 'ternary',
    steps: [1, 3],
    unit: 'element',
    ...(group !== undefined && { group }),
  };
  const map = Uint8Array.from(draw(O * C, (i) => (i % 3 === 0 ? 1 : 0)));
  const k = Int8Array.from(map, (bit) => random.integer(-1 - 2 * bit, 1 + 2 * bit));
  const { salient, trits } = packElements(k, map, O, [1, 3]);
  const groups = group === undefined ? 1 : Math.ceil(C / group);
  const scale = scales(2 * groups);
  const weight = elementWeight(settings, C, {
    salient: hostTensor('uint8', salient, [O, salient.length / O]),
    trits: hostTensor('uint8', trits),
    scale,
  });
  const column = (i: number): number => map[i] * groups + Math.floor((i % C) / (group ?? C));
  const mean = (c: number): number => draw(O, (o) => 1 + 2 * map[o * C + c]).reduce((sum, T) => sum + T) / O;
  return {
    name: `ternary elements, group ${group}`,
    weight,
    values: scaled(k, scale, column),
    steps: draw(C, mean),
    looked: ['p.weight_salient'],
  };
}

const cases = [float(), integer(), channels(), channels(4), elements(), elements(4)];

/** x W^T + b in float64. */
function product(x: ArrayLike<number>, values: Float64Array, bias: HostTensor): number[] {
  const b = bias.data as Float32Array;
  return draw(N * O, (i) => {
    const [n, o] = [Math.floor(i / O), i % O];
    return draw(C, (c) => x[n * C + c] * values[o * C + c]).reduce((sum, term) => sum + term, b[o]);
  });
}
const expectClose = (received: ArrayLike<number>, expected: readonly number[]): void => {
  expect(received).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(Math.abs(received[i] - value)).toBeLessThan(1e-5));
};

describe.each(cases)('$name', ({ weight, values, steps, looked }) => {
  const tensors = new Map(weight.tensors('p'));
  const { format } = weight;

  it('reads what it writes', async () => {
    expect(format.names('p').toSorted()).toEqual([...tensors.keys()].toSorted());
    const read = await format.read(memorySource(tensors), ROWS);
    expect(read.tensors('p')).toEqual(weight.tensors('p'));
    expect([read.format.kind, read.format.title]).toEqual([format.kind, format.title]);
  });

  it('is described from its headers, and from what says how many steps it has', async () => {
    const read: string[] = [];
    const source = memorySource(tensors);
    const watched: typeof source = {
      ...source,
      read: (name) => {
        read.push(name);
        return source.read(name);
      },
    };
    const stored = await format.describe(watched, ROWS);
    expect(stored.tensors).toHaveLength(tensors.size);
    for (const [name, shape] of stored.tensors) expect(shape).toEqual(tensors.get(name)!.dims);
    expect(stored.steps === null).toBe(steps === null);
    expectClose(stored.steps ?? [], steps ?? []);
    expect(read).toEqual(looked);
  });

  it.each(format.names('p'))('needs %s, in its shape', async (name) => {
    const without = new Map(tensors);
    without.delete(name);
    const { type, data } = tensors.get(name)!;
    const other = new Map(tensors).set(name, { type, data, dims: [1, 1, data.length] });
    for (const of of ['read', 'describe'] as const) {
      await expect(format[of](memorySource(without), ROWS)).rejects.toMatchObject({ code: 'MISSING' });
      await expect(format[of](memorySource(other), ROWS)).rejects.toMatchObject({ code: 'SHAPE' });
    }
  });

  it('gives the product of floats with its weights', async () => {
    using backend = createReferenceBackend();
    using runner = createRunner(backend);
    const x = randomFloats(random, [N, C], 1);
    const bias = randomFloats(random, [O], 1);
    for (const b of [bias, undefined]) {
      const y = weight.onFloats(runner, b).run(runner.upload(x));
      const want = product(x.data as Float32Array, values, b ?? hostTensor('float32', new Float32Array(O)));
      expectClose((await backend.read(y)).data as Float32Array, want);
    }
  });

  it('gives the product of what spikes carry with its weights', async () => {
    using backend = createReferenceBackend();
    using runner = createRunner(backend);
    const own = Uint8Array.from(draw(C, (c) => [1, 2, 4][c % 3]));
    const encoding = prepareEncoding(runner, own, { bits: 4, range: 'lossless' });
    const bias = randomFloats(random, [O], 1);
    const x = randomFloats(random, [N, C], 1);
    const spikes = runner.apply(encoding.kernel, { x: runner.upload(x) });
    const decode = runner.prepare('gif_decode_f32', encoding.gif, { steps: encoding.steps });
    const carried = (await backend.read(runner.apply(decode, { ...spikes }).y)).data as Float32Array;
    const y = weight.onSpikes(runner, bias, encoding)(spikes);
    const want = product(carried, values, bias);
    expectClose((await backend.read(y)).data as Float32Array, want);
    const unspiked = product(x.data as Float32Array, values, bias);
    expect(Math.max(...want.map((value, i) => Math.abs(value - unspiked[i])))).toBeGreaterThan(1e-3);
  });

  it('is spikes itself, or not', () => {
    const found = weight.spikes?.();
    expect(found === undefined).toBe(steps === null);
    expectClose(found?.steps ?? [], steps ?? []);
    expect(found?.trits.every((trits, c) => trits <= O * steps![c])).not.toBe(false);
  });
});

it('counts the trits of each channel that are not 0', () => {
  const k = Int8Array.of(1, 3, 0, -2, -1, 0);
  const steps = Uint8Array.of(1, 3, 1);
  const settings: TernarySettings = { kind: 'ternary', steps: [1, 3] };
  const channel = channelWeight(settings, {
    steps: hostTensor('uint8', steps),
    trits: hostTensor('uint8', packTrits(Int8Array.of(1, 3, 0, -1, -2, 0), 2, steps), [2, 2]),
    scale: hostTensor('float32', new Float32Array(4).fill(1), [2, 2]),
  });
  expect([...channel.spikes!().trits]).toEqual([2, 5, 0]);
  const { salient, trits } = packElements(k, Uint8Array.of(0, 1, 0, 1, 0, 0), 2, [1, 3]);
  const element = elementWeight({ ...settings, unit: 'element' }, 3, {
    salient: hostTensor('uint8', salient, [2, 1]),
    trits: hostTensor('uint8', trits),
    scale: hostTensor('float32', new Float32Array(4).fill(1), [2, 2]),
  });
  expect([...element.spikes!().trits]).toEqual([3, 4, 0]);
});

it('has a format for what config.json says', () => {
  expect(weightFormat(undefined)).toBe(floatFormat);
  const kinds = [{ kind: 'float' }, { bits: 3, symmetric: false }, { kind: 'ternary', steps: [2] }] as const;
  expect(kinds.map((weights) => weightFormat({ weights })).map(({ kind }) => kind)).toEqual([
    'float',
    'integer',
    'ternary',
  ]);
  const embeddings = [undefined, {}, { embeddings: { bits: 8 } }];
  expect(embeddings.map((spiking) => tableFormat(spiking).title)).toEqual(['W16', 'W16', 'W8']);
  const bits = [floatFormat, integerFormat(3), ternaryFormat({ kind: 'ternary', steps: [1] })];
  expect(bits.map(({ productBits }) => productBits)).toEqual([16, 3, 2]);
});

it('knows the bytes of a packed row: codes, a scale and a zero point', () => {
  expect([integerRowBytes(10, 4), integerRowBytes(10, 3), integerRowBytes(8, 8)]).toEqual([11, 10, 14]);
});
