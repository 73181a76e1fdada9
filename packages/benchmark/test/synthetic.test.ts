import { createReferenceBackend } from '@spikellm/backend';
import { loadDecoder, parseModel } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { SHAPES, syntheticModel, type WeightKind } from '../src/index.ts';
import { randomBytes, repeated } from '../src/random.ts';

const logits = async (seed: number, weights?: WeightKind): Promise<number[]> => {
  using backend = createReferenceBackend();
  using decoder = await loadDecoder({
    ...syntheticModel({ shape: 'tiny', seed, ...(weights && { weights }) }),
    backend,
  });
  using cache = decoder.createCache(4);
  using last = decoder.forward([1, 2, 3], cache, { logits: 'last' });
  return Array.from((await backend.read(last)).data as Float32Array);
};

describe('syntheticModel', () => {
  it('loads and computes numbers that differ by seed only', async () => {
    const first = await logits(1);
    expect(first).toHaveLength(SHAPES.tiny.vocab_size);
    expect(first.every(Number.isFinite)).toBe(true);
    expect(new Set(first).size).toBeGreaterThan(first.length / 2);
    expect(await logits(1)).toEqual(first);
    expect(await logits(2)).not.toEqual(first);
  });

  it('has ternary weights of half the size', async () => {
    const ternary = await logits(1, 'ternary');
    expect(ternary.every(Number.isFinite)).toBe(true);
    expect(ternary).not.toEqual(await logits(1));
    const bytes = (weights: WeightKind): number => {
      const { tensors } = syntheticModel({ shape: 'tiny', weights });
      const name = `model.layers.0.mlp.up_proj.weight_${weights === 'ternary' ? 'trits' : 'codes'}`;
      const [rows, rowBytes] = tensors.info(name)!.shape;
      return rows * rowBytes;
    };
    expect(bytes('ternary')).toBe(bytes('4-bit') / 2);
  });

  it('gives the asked share of channels the asked steps', async () => {
    const { tensors } = syntheticModel({ shape: 'tiny', steps: 4, salient: 0.25 });
    const prefix = 'model.layers.1.mlp.down_proj';
    const channels = (await tensors.read(`${prefix}.salient_channels`)).data as Int32Array;
    expect(channels).toHaveLength(0.25 * SHAPES.tiny.intermediate_size);
    expect(new Set((await tensors.read(`${prefix}.salient_steps`)).data as Uint8Array)).toEqual(new Set([4]));
  });

  it.each(['1.1b', '7b'] as const)('%s has the weights of its name', (shape) => {
    const { bytes, bytesPerToken, config } = syntheticModel({ shape });
    const { layers, vocabularySize, hiddenSize } = parseModel(config).config;
    expect(layers).toBe(shape === '7b' ? 32 : 22);
    const tables = 2 * vocabularySize * hiddenSize;
    const parameters = { '1.1b': 1.1e9, '7b': 6.74e9 }[shape];
    // Four bits for each weight of a linear, and a few more for scales and salient channels.
    const bytesPerWeight = (bytes - tables) / (parameters - tables);
    expect(bytesPerWeight).toBeGreaterThan(0.5);
    expect(bytesPerWeight).toBeLessThan(0.51);
    expect(bytes - bytesPerToken).toBe(tables / 2 + 6 * vocabularySize);
  });
});

it('random bytes are a seed’s own, and every byte occurs about equally often', () => {
  const bytes = randomBytes(2 ** 16 + 1, 3);
  expect(bytes).toHaveLength(2 ** 16 + 1);
  expect(randomBytes(100, 3)).toEqual(bytes.slice(0, 100));
  expect(randomBytes(100, 4)).not.toEqual(bytes.slice(0, 100));
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]++;
  expect(Math.min(...counts)).toBeGreaterThan(170);
  expect(Math.max(...counts)).toBeLessThan(350);
});

it.each([2, 3, 7, 12])('%s bytes repeat a block of three', (length) => {
  const expected = Array.from({ length }, (_, i) => (i % 3) + 1);
  expect([...repeated(new Uint8Array([1, 2, 3]), length)]).toEqual(expected);
});
