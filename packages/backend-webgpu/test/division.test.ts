import { describe, expect, it } from 'vitest';
import { create as createGpu } from 'webgpu';
import { requestDevice } from '../src/adapter.ts';
import { openDevice, type Device } from '../src/device.ts';
import type { Shader } from '../src/shader.ts';
import { divide } from '../src/shaders/exact.ts';
import { missing } from './adapter.ts';

const divideAll: Shader = {
  name: 'divide_all',
  lanes: 64,
  bindings: { a: 'read array<u32>', b: 'read array<u32>', y: 'write array<u32>' },
  params: ['count'],
  needs: [divide],
  code: `
fn run(group: u32, lane: u32) {
  let i = group * LANES + lane;
  if (i < params.count) { y[i] = divide(a[i], b[i]); }
}
`,
};
const COUNT = 1 << 18;

/** Reproducible bits (xorshift of 32). */
let state = 2463534242;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}
const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);
const bitsOf = (x: number): number => {
  floats[0] = x;
  return words[0];
};
const floatOf = (bits: number): number => {
  words[0] = bits;
  return floats[0];
};
/** A float above 0 whose exponent field is in [least, most]. */
const positive = (least: number, most: number): number =>
  floatOf(((least + (random() % (most - least + 1))) << 23) | (random() & 0x7fffff)) || 1;

/** Pairs of dividend and divisor, each kind where a division that is nearly right goes wrong. */
const kinds: Readonly<Record<string, () => [number, number]>> = {
  'any two numbers': () => [floatOf(random() & 0xff7fffff), positive(1, 254)],
  'of one size, as thresholds are': () => [positive(100, 140), positive(100, 140)],
  'quotients next to the middle of two numbers': () => {
    const b = positive(90, 160);
    const middle = (2 * (0x800000 + (random() & 0x7fffff)) + 1) * 2 ** -24;
    return [Math.fround(middle * b), b];
  },
  'quotients next to halves, where codes change': () => {
    const b = positive(100, 130);
    const near = bitsOf(Math.fround(((random() % 131072) + 0.5) * b)) + (random() % 3) - 1;
    return [floatOf(near), b];
  },
  'exact quotients': () => {
    const b = floatOf((127 << 23) | ((random() & 0xfff) << 11));
    return [Math.fround((random() & 0xfff) * b), b];
  },
  'results below the smallest normal number': () => [positive(1, 30), positive(110, 160)],
  'subnormal dividends': () => [floatOf(random() & 0x7fffff), positive(60, 200)],
  'subnormal divisors': () => [positive(0, 20), floatOf((random() & 0x7fffff) | 1)],
  'results beyond the largest number': () => [positive(240, 254), positive(1, 120)],
  'all ones and powers of two': () => [
    floatOf(((64 + (random() % 128)) << 23) | (random() % 2 === 0 ? 0x7fffff : random() & 1)),
    floatOf(((64 + (random() % 128)) << 23) | (random() % 2 === 0 ? 0x7fffff : random() & 1)),
  ],
};

async function quotients(
  device: Device,
  pairs: readonly (readonly [number, number])[],
): Promise<Uint32Array> {
  const [a, b, y] = [0, 1, 2].map(() => device.pool.take(4 * COUNT));
  device.write(
    a,
    Float32Array.from(pairs, ([dividend]) => dividend),
  );
  device.write(
    b,
    Float32Array.from(pairs, ([, divisor]) => divisor),
  );
  device.run(divideAll, { operands: { a, b, y }, params: [COUNT], groups: COUNT / 64 }, undefined);
  const bits = new Uint32Array(await device.read(y, 4 * COUNT));
  for (const buffer of [a, b, y]) device.release(buffer);
  return bits;
}

/** JavaScript divides in float64; rounded to float32 that is the float32 quotient (53 >= 2 * 24 + 2 bits). */
describe.skipIf(missing !== undefined)('division', () => {
  it.each(Object.keys(kinds))('to the last bit: %s', async (kind) => {
    const gpu = createGpu([]);
    const device = openDevice(await requestDevice(gpu, {}), { subgroups: false, packedDot: false }, true);
    const pairs = Array.from({ length: COUNT }, kinds[kind]);
    const got = await quotients(device, pairs);
    device.close();
    const wrong = pairs.findIndex(([a, b], i) => got[i] !== bitsOf(Math.fround(a / b)));
    expect(wrong < 0 ? undefined : [...pairs[wrong], floatOf(got[wrong])]).toBeUndefined();
  });
});
