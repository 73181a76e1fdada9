import { describe, expect, it } from 'vitest';
import {
  checkSettings,
  DEFAULT_GPTQ,
  DEFAULT_SETTINGS,
  sampleWindows,
  spikingConfig,
  type QuantizeSettings,
} from '../src/index.ts';

const ternary = { ...DEFAULT_GPTQ, weights: 'ternary' } as const;

describe('settings', () => {
  it.each([
    [{ salient: 1.5 }, 'salient: expected a number from 0 to 1, received 1.5.'],
    [{ weightBits: 5.5 }, 'weightBits: expected a whole number from 2 to 8, received 5.5.'],
    [
      { activationBits: 12 },
      'activationBits: expected a whole number from 2 to 8, or 16 for float, received 12.',
    ],
    [{ steps: 3 }, 'steps: expected 1, 2 or 4, received 3.'],
    [{ key: 'channel' }, 'key: expected block, token, published, float, received channel.'],
    [{ rotate: 'fourier' }, 'rotate: expected none or hadamard, received fourier.'],
    [
      { gptq: { ...DEFAULT_GPTQ, weights: 'ternary' } },
      'weights: expected integer with the rtn pipeline, received ternary; take the gptq pipeline.',
    ],
    [
      { pipeline: 'gptq', gptq: { ...DEFAULT_GPTQ, equalSteps: 1.4 } },
      'equalSteps: expected none with integer weights, received 1.4; take ternary weights.',
    ],
    [
      { pipeline: 'gptq', gptq: { ...DEFAULT_GPTQ, weights: 'ternary', equalSteps: 0.9 } },
      'equalSteps: expected a number from 1 to 4, received 0.9.',
    ],
    ...[0, -1, 1.5].map((weightGroup): [Partial<QuantizeSettings>, string] => [
      { pipeline: 'gptq', gptq: { ...ternary, weightGroup } },
      `weightGroup: expected a whole number of columns, 1 or more, received ${weightGroup}.`,
    ]),
    [
      { pipeline: 'gptq', gptq: { ...DEFAULT_GPTQ, weightGroup: 128 } },
      'weightGroup: expected none with integer weights, received 128; take ternary weights.',
    ],
    [
      { gptq: { ...DEFAULT_GPTQ, weightUnit: 'element' } },
      'weightUnit: expected none with integer weights, received element; take ternary weights.',
    ],
    [
      { pipeline: 'gptq', gptq: { ...ternary, weightUnit: 'row' } },
      'weightUnit: expected channel or element, received row.',
    ],
    [
      { pipeline: 'gptq', gptq: { ...ternary, weightUnit: 'element', equalSteps: 1.4 } },
      'equalSteps: expected none where single weights are the unit, received 1.4; say with salientWeights how many weights have salientSteps.',
    ],
    [
      { pipeline: 'gptq', gptq: { ...ternary, weightUnit: 'element', weightSteps: 3 } },
      'salientSteps: expected more than the 3 of other weights, where single weights are the unit, received 3; take more, or channels as the unit.',
    ],
  ])('refuses %o', (change, message) => {
    expect(() => checkSettings({ ...DEFAULT_SETTINGS, ...change } as never)).toThrow(message);
  });

  it('gives the published KV cache two steps at most', () => {
    const published = { ...DEFAULT_SETTINGS, steps: 4, range: 'published', key: 'published' } as const;
    expect(spikingConfig(published).kv.steps).toBe(2);
    expect(spikingConfig({ ...DEFAULT_SETTINGS, steps: 4 }).kv.steps).toBe(4);
  });

  it('says in the config what ternary weights are, and nothing that is as it always was', () => {
    const weights = (changes: object): unknown =>
      spikingConfig({ ...DEFAULT_SETTINGS, pipeline: 'gptq', gptq: { ...ternary, ...changes } }).weights;
    expect(weights({})).toEqual({ kind: 'ternary', steps: [1, 3] });
    expect(Object.keys(weights({ weightUnit: 'channel' }) as object)).toEqual(['kind', 'steps']);
    expect(weights({ weightUnit: 'element', weightGroup: 128 })).toEqual({
      kind: 'ternary',
      steps: [1, 3],
      group: 128,
      unit: 'element',
    });
  });

  it('leaves activations and cache in float at 16 bits', () => {
    const { activations, kv } = spikingConfig({ ...DEFAULT_SETTINGS, activationBits: 16 });
    expect(activations).toMatchObject({ bits: 16, steps: 1, saliency: 'none', salient_fraction: 0 });
    expect(kv).toMatchObject({ key: 'float', steps: 1 });
  });
});

describe('calibration windows', () => {
  const ids = Array.from({ length: 339420 + 2049 }, (_, i) => i);

  it('are those that Python draws', () => {
    const windows = sampleWindows(ids, { samples: 4, length: 2048, seed: 2 });
    expect(windows.map(([first]) => first)).toEqual([29649, 48016, 44497, 189298]);
    expect(windows.every(({ length }) => length === 2048)).toBe(true);
  });

  it('need a text that is longer than one', () => {
    expect(() => sampleWindows(ids.slice(0, 256), { samples: 1, length: 256, seed: 0 })).toThrow(
      'calibration text: expected at least 257 tokens for windows of 256, received 256; give a longer text or a smaller --seqlen.',
    );
  });
});
