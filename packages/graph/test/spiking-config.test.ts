import { expect, it } from 'vitest';
import { isCausal, KEY_QUANTISERS, parseSpikingConfig } from '../src/index.ts';
import { spikingJson } from './tiny.ts';

const valid = spikingJson('block');
const parse = (quantization_config: unknown) => parseSpikingConfig({ quantization_config });

it('is undefined for a float model', () => {
  expect(parseSpikingConfig({})).toBeUndefined();
  expect(parse(null)).toBeUndefined();
});

it('gives back what it read', () => {
  expect(parse(valid)).toEqual(valid);
  const ternary = { ...valid, weights: { kind: 'ternary', steps: [1, 3] } };
  expect(parse(ternary)).toEqual(ternary);
  const elements = { ...valid, weights: { ...ternary.weights, group: 128, unit: 'element' } };
  expect(parse(elements)).toEqual(elements);
});

it('is version 2 where the inputs of down are rotated, which older readers refuse', () => {
  const rotated = (format_version: number) => ({
    down_rotation: 'hadamard',
    quantization_config: { ...valid, format_version },
  });
  expect(parseSpikingConfig(rotated(2))).toEqual({ ...valid, format_version: 2 });
  expect(() => parseSpikingConfig(rotated(1))).toThrow(
    'quantization_config: expected format_version 2, since there is a down_rotation, received 1.',
  );
});

it('knows that all key quantisers but the published one are causal', () => {
  expect(KEY_QUANTISERS.filter((key) => isCausal(parse(spikingJson(key))))).toEqual([
    'block',
    'token',
    'float',
  ]);
  expect(isCausal(undefined)).toBe(true);
});

it.each([
  { change: { quant_method: 'gptq' }, message: 'quant_method \'spikellm\', received "gptq"' },
  { change: { quant_method: undefined }, message: "quant_method 'spikellm', received nothing" },
  { change: { format_version: 2 }, message: 'format_version 1, received 2' },
  { change: { format_version: '1' }, message: 'format_version 1, received "1"' },
])('does not support $change', ({ change, message }) => {
  expect(() => parse({ ...valid, ...change })).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      message: `config.json, quantization_config: expected ${message}.`,
    }),
  );
});

it.each([
  { change: { weights: { bits: 9 } }, message: 'weights.bits from 1 to 8, received 9' },
  {
    change: { weights: { kind: 'binary' } },
    message: "weights.kind 'float', 'ternary' or none, received \"binary\"",
  },
  {
    change: { weights: { kind: 'ternary', steps: [1, 1] } },
    message: 'weights.steps to be rising numbers from 1 to 7, such as [1, 3], received [1,1]',
  },
  {
    change: { weights: { kind: 'ternary', steps: [4, 8] } },
    message: 'weights.steps to be rising numbers from 1 to 7, such as [1, 3], received [4,8]',
  },
  ...[0, 1.5, -128, '128', null].map((group) => ({
    change: { weights: { kind: 'ternary', steps: [1, 3], group } },
    message: `weights.group to be a whole number of columns, 1 or more, or no group, received ${JSON.stringify(group)}`,
  })),
  {
    change: { weights: { kind: 'ternary', steps: [1, 3], unit: 'channel' } },
    message: 'weights.unit \'element\' or none, received "channel"',
  },
  {
    change: { weights: { kind: 'ternary', steps: [1, 2, 3], unit: 'element' } },
    message: "weights.steps to be two numbers where weights.unit is 'element', received [1,2,3]",
  },
  { change: { weights: undefined }, message: 'weights.bits from 1 to 8, received nothing' },
  {
    change: { activations: { ...valid.activations, bits: 0 } },
    message: 'activations.bits from 1 to 12, or 16, received 0',
  },
  {
    change: { activations: { ...valid.activations, range: 'wide' } },
    message: "activations.range 'lossless' or 'saturating', received \"wide\"",
  },
  {
    change: { kv: { ...valid.kv, key: 'row' } },
    message: 'kv.key among block, token, whole, float, received "row"',
  },
  { change: { kv: { ...valid.kv, bits: 4.5 } }, message: 'kv.bits from 1 to 12, or 16, received 4.5' },
  {
    change: { kv: { ...valid.kv, block: 0 } },
    message: 'kv.block to be a whole number of tokens, received 0',
  },
])('refuses $change', ({ change, message }) => {
  expect(() => parse({ ...valid, ...change })).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: `config.json, quantization_config: expected ${message}.`,
    }),
  );
});
