import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHAPES } from '@spikellm/benchmark';
import { expect, it } from 'vitest';
import { drawLine } from '../lib/draw.mjs';
import { halfBits, headerOf, llamaTensors, randomBlocks, tensorBytes, writeLlama } from '../lib/gguf.mjs';
import { matMulModel } from '../lib/onnx.mjs';
import { alternate, ratioOf } from '../lib/rounds.mjs';

it.each([
  [1, 0x3c00],
  [0.5, 0x3800],
  [1.5, 0x3e00],
  [2 ** -14, 0x0400],
])('%s in half precision', (value, bits) => {
  expect(halfBits(value)).toBe(bits);
});

it('blocks of weights have the sizes of their type', () => {
  const dims = [256, 3];
  const bytes = (type) => tensorBytes({ type, dims });
  expect([bytes('f32'), bytes('q4_0'), bytes('q8_0'), bytes('tq2_0')]).toEqual([
    256 * 3 * 4,
    24 * 18,
    24 * 34,
    3 * 66,
  ]);
});

it('ternary codes are digits below three', () => {
  const block = randomBlocks({ type: 'tq2_0', dims: [256, 1] }).subarray(0, 66);
  const digits = [...block.subarray(0, 64)].flatMap((byte) =>
    [0, 2, 4, 6].map((shift) => (byte >> shift) & 3),
  );
  expect(new Set(digits)).toEqual(new Set([0, 1, 2]));
  expect(block.readUInt16LE(64)).toBe(halfBits(1 / Math.sqrt((2 / 3) * 256)));
});

it('a GGUF file is its header and aligned tensors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spikellm-gguf-'));
  try {
    const path = join(folder, 'tiny.gguf');
    const tensors = llamaTensors(SHAPES.tiny, 'q4_0');
    const bytes = writeLlama(path, SHAPES.tiny, 'q4_0');
    const file = readFileSync(path);
    const header = headerOf(SHAPES.tiny, tensors);
    expect(file.subarray(0, 4).toString()).toBe('GGUF');
    expect(file.readUInt32LE(4)).toBe(3);
    expect(file.readBigUInt64LE(8)).toBe(BigInt(tensors.length));
    expect(header.length % 32).toBe(0);
    expect(file.subarray(0, header.length).equals(header)).toBe(true);
    expect(bytes).toBe(tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0));
    expect(file.length).toBe(header.length + bytes); // every tensor of this shape ends on a multiple of 32
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('an ONNX model holds the weights and scales of each product', () => {
  const sizes = { inputs: 64, outputs: 16 };
  const [one, three] = [1, 3].map((count) => matMulModel({ ...sizes, count }));
  const weights = 64 * 16 * (1 / 2 + 4 / 32);
  expect(one.length).toBeGreaterThan(weights);
  expect(one.length).toBeLessThan(weights + 512);
  expect(three.length).toBeGreaterThan(3 * weights);
  expect(one.includes('MatMulNBits')).toBe(true);
  // With the byte that says how long a name is: two letters alone occur in random weights now and then.
  expect([one, three].map((file) => file.includes('\u0002w2'))).toEqual([false, true]);
  expect(one.includes('\u0002w0')).toBe(true);
});

it('sides take turns, and the first round does not count', async () => {
  const calls = [];
  const side = (name) => () => Promise.resolve(calls.push(name));
  const values = await alternate(2, { a: side('a'), missing: null, b: side('b') });
  expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  expect(values).toEqual({ a: [3, 5], missing: null, b: [4, 6] });
  expect(ratioOf([3, 5], [6, 5])).toEqual({ median: 0.75, min: 0.5, max: 1 });
  expect(ratioOf([3, 5], null)).toBeNull();
});

it('a plot is one SVG with a line through its points', () => {
  const points = [1, 10, 100].map((x) => ({ x, median: x, min: x / 2, max: 2 * x }));
  const svg = drawLine({ title: 'Cost', x: 'tokens', y: 'seconds', scale: 'log', points });
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  expect(svg.match(/<circle /g)).toHaveLength(points.length);
  expect(svg).toContain('tokens');
  expect(svg).not.toContain('NaN');
});
