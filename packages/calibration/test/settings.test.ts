import { describe, expect, it } from 'vitest';
import {
  checkSettings,
  DEFAULT_SETTINGS,
  defaultsOf,
  ownSettings,
  PIPELINES,
  sampleWindows,
  spikingConfig,
  TRAINING_FIELDS,
  type QuantizeSettings,
} from '../src/index.ts';

const ternary = { weights: 'ternary' } as const;

describe('settings', () => {
  it.each([
    [{ salientFraction: 1.5 }, 'salientFraction: expected a number from 0 to 1, received 1.5.'],
    [{ weightBits: 5.5 }, 'weightBits: expected a whole number from 2 to 8, or 16 for float, received 5.5.'],
    [
      { activationBits: 12 },
      'activationBits: expected a whole number from 2 to 8, or 16 for float, received 12.',
    ],
    [{ steps: 3 }, 'steps: expected 1, 2 or 4, received 3.'],
    [{ key: 'channel' }, 'key: expected block, token, whole, float, received channel.'],
    [{ rotate: 'fourier' }, 'rotate: expected none or hadamard, received fourier.'],
    [
      { options: { weights: 'ternary' } },
      'weights: expected the gptq pipeline, whose setting it is, received the rtn pipeline; leave it out, or take the gptq pipeline.',
    ],
    [
      { pipeline: 'smoothquant', options: { epochs: 3 } },
      'epochs: expected the omniquant pipeline, whose setting it is, received the smoothquant pipeline; leave it out, or take the omniquant pipeline.',
    ],
    [
      { pipeline: 'omniquant', options: { epochs: 3, damping: 0.1 } },
      'damping: expected the gptq pipeline, whose setting it is, received the omniquant pipeline; leave it out, or take the gptq pipeline.',
    ],
    [
      { pipeline: 'gptq', options: { speed: 3 } },
      'speed: expected a setting of the pipeline, received the gptq pipeline; leave it out.',
    ],
    [{ pipeline: 'awq' }, 'pipeline: expected rtn or smoothquant or omniquant or gptq, received awq.'],
    [
      { pipeline: 'omniquant', options: { epochs: -1 } },
      'epochs: expected a whole number from 0 to 1000, received -1.',
    ],
    [{ saliency: 'size' }, 'saliency: expected obs, random, fisher, received size.'],
    ...[{ name: 'mine' }, { score: () => [] }, { name: 7, score: () => [] }].map(
      (saliency): [object, string] => [{ saliency }, 'saliency: expected obs, random, fisher'],
    ),
    [
      { saliency: { name: 'mine', score: () => [] }, granularity: 'linear' },
      'granularity: expected channel, which mine saliency ranks, received linear; take fisher saliency for whole linears.',
    ],
    [
      { pipeline: 'gptq', options: { meanSteps: 1.4 } },
      'meanSteps: expected none with integer weights, received 1.4; take ternary weights.',
    ],
    [
      { pipeline: 'gptq', options: { weights: 'ternary', meanSteps: 0.9 } },
      'meanSteps: expected a number from 1 to 4, received 0.9.',
    ],
    ...[0, -1, 1.5].map((weightGroup): [Partial<QuantizeSettings>, string] => [
      { pipeline: 'gptq', options: { ...ternary, weightGroup } },
      `weightGroup: expected a whole number of columns, 1 or more, received ${weightGroup}.`,
    ]),
    [
      { pipeline: 'gptq', options: { weightGroup: 128 } },
      'weightGroup: expected none with integer weights, received 128; take ternary weights.',
    ],
    [
      { pipeline: 'gptq', options: { weightUnit: 'element' } },
      'weightUnit: expected none with integer weights, received element; take ternary weights.',
    ],
    [
      { pipeline: 'gptq', options: { ...ternary, weightUnit: 'row' } },
      'weightUnit: expected channel or element, received row.',
    ],
    [
      { pipeline: 'gptq', options: { ...ternary, weightUnit: 'element', meanSteps: 1.4 } },
      'meanSteps: expected none where single weights are the unit, received 1.4; say with salientWeights how many weights have salientSteps.',
    ],
    [
      { pipeline: 'gptq', options: { ...ternary, weightUnit: 'element', weightSteps: 3 } },
      'salientSteps: expected more than the 3 of other weights, where single weights are the unit, received 3; take more, or channels as the unit.',
    ],
  ])('refuses %o', (change, message) => {
    expect(() => checkSettings({ ...DEFAULT_SETTINGS, ...change })).toThrow(message);
  });

  it('takes a metric of a user, and says its name in the config', () => {
    const saliency = { name: 'mine', score: () => [] };
    const settings = { ...DEFAULT_SETTINGS, saliency };
    expect(() => checkSettings(settings)).not.toThrow();
    expect(spikingConfig(settings).activations.saliency).toBe('mine');
    expect(spikingConfig({ ...settings, salientFraction: 0 }).activations.saliency).toBe('none');
  });

  it('has the defaults of a pipeline where nothing else is said', () => {
    expect(ownSettings({ pipeline: 'omniquant', options: { epochs: 3 } })).toEqual({
      ...defaultsOf(TRAINING_FIELDS),
      epochs: 3,
    });
    expect(ownSettings({ pipeline: 'rtn' })).toEqual({});
  });

  it.each(PIPELINES)('leaves weights in float at 16 bits: $name', ({ name: pipeline }) => {
    const settings = { ...DEFAULT_SETTINGS, pipeline, weightBits: 16 };
    expect(() => checkSettings(settings)).not.toThrow();
    expect(spikingConfig(settings).weights).toEqual({ kind: 'float' });
  });

  it('gives the published KV cache two steps at most', () => {
    const published = { ...DEFAULT_SETTINGS, steps: 4, range: 'saturating', key: 'whole' } as const;
    expect(spikingConfig(published).kv.steps).toBe(2);
    expect(spikingConfig({ ...DEFAULT_SETTINGS, steps: 4 }).kv.steps).toBe(4);
  });

  it('says in the config what ternary weights are, and nothing that is as it always was', () => {
    const weights = (changes: object): unknown =>
      spikingConfig({ ...DEFAULT_SETTINGS, pipeline: 'gptq', options: { ...ternary, ...changes } }).weights;
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
    expect(() => sampleWindows(ids, { samples: 1e9, length: 2048, seed: 0 })).toThrow(
      /samples: expected at most \d+ windows of 2048 from a text of \d+ tokens, received 1000000000; take fewer --samples/,
    );
  });
});
