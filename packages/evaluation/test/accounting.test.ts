import { expect, test } from 'vitest';
import { createReferenceBackend } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { loadDecoder, parseModel, type SpikingConfig } from '@spikellm/graph';
import { countOperations, describeModel, hadamardOperations, modelCost } from '../src/index.ts';
import { attentionOperations, floatKeyShare, keyReads } from '../src/attention-operations.ts';
import { floatConfig, loadToy, someIds, spiking, toyConfig, toyTensors } from './toy.ts';

const { layers } = parseModel(floatConfig);
/** Two layers of two heads of 8 channels, over one head of keys and values. */
const WIDTH = 16;
const steps = layers.map(() => ({
  keys: new Uint8Array(8).fill(2, 0, 4).fill(1, 4),
  values: new Uint8Array(8).fill(4),
}));

test('a rotation is butterflies for the power of two and a matrix for the odd rest', () => {
  expect(hadamardOperations(8)).toEqual({ macs: 8 * 4, additions: 8 * 3, multiplications: 8 });
  // 24 = 8 * 3: three stages, then matrices of 3 columns.
  expect(hadamardOperations(24)).toEqual({ macs: 24 * 6, additions: 24 * (3 + 2), multiplications: 24 * 3 });
  expect(hadamardOperations(5)).toEqual({ macs: 25, additions: 20, multiplications: 25 });
});

test('what a rotation costs is in the totals', async () => {
  const config = { ...floatConfig, down_rotation: 'hadamard' };
  const tensors = memorySource(toyTensors());
  using backend = createReferenceBackend();
  using decoder = await loadDecoder({ config, tensors, backend });
  const report = await countOperations(decoder, someIds(20), { config, tensors, window: 8 });
  const { transforms, linears, layers: counted, total } = report;
  expect(transforms).toHaveLength(2);
  expect(transforms[0]).toMatchObject({
    layer: 0,
    width: 24,
    macs: 144,
    ace: 144 * 256,
    multiplications: 72,
  });
  expect(transforms[0].energy.dense).toBeCloseTo(120 * 0.9 + 72 * 1.1, 9);
  const macs = linears.reduce((sum, linear) => sum + linear.macs, 0);
  expect(total.macs).toBe(macs + 2 * 144);
  expect(counted[0].energy.dense + counted[1].energy.dense).toBeCloseTo(total.energy.dense, 6);
  expect(total.energy.dense).toBeCloseTo(2 * macs + 2 * transforms[0].energy.dense, 6);
  const cost = modelCost(config, await describeModel(config, tensors));
  expect(cost.transformMacRatio).toBeCloseTo((2 * 144) / macs, 12);
  expect(cost.aceRatio).toBe(1);
});

test('keys are float until their block closes, after its last token has attended', () => {
  // Blocks of 4 in 10 tokens: 1 2 3 4, 1 2 3 4, 1 2 of 1 to 10 keys.
  expect(keyReads({ window: 0 }, 10, 4)).toEqual({ all: 55, open: 23 });
  // A window of 3: 1 2 3 3 3 3 ... keys, of which 1 2 3 3, 1 2 3 3, 1 2.
  expect(keyReads({ window: 3 }, 10, 4)).toEqual({ all: 3 + 8 * 3, open: 9 + 9 + 3 });
  // A quarter of the keys in windows of 256 with blocks of 64.
  const { all, open } = keyReads({ window: 0 }, 256, 64);
  expect(open / all).toBeCloseTo(0.2529, 4);
});

const kv = (key: SpikingConfig['kv']['key']) => spiking({ kv: { key, block: 4 } });

test.each([
  ['float', 1, 32],
  ['token', 0, 0],
  ['block', 23 / 55, (32 * 23) / 55 / 2],
] as const)('of a cache with keys %s, what stays in float is reported', async (key, share, bits) => {
  const config = kv(key);
  expect(floatKeyShare(layers, config, 10)).toBeCloseTo(share, 12);
  const tensors = memorySource(toyTensors(config));
  const report = await describeModel(toyConfig(config), tensors, { window: 10 });
  expect(report.kv.floatKeyShare).toBeCloseTo(share, 12);
  expect(report.kv.floatResidueBits).toBeCloseTo(bits, 12);
  expect(modelCost(toyConfig(config), report)).toMatchObject({
    kv: report.kv,
    floatResidueBits: report.kv.floatResidueBits,
    meanSteps: report.total.averageSteps,
    bitsPerWeight: report.total.bitsPerWeight,
    bitsPerActivation: report.total.bitsPerActivation,
  });
});

test('the effort of attention has the steps of cached channels, and 16 bits for what is float', () => {
  const per = (layers.length * WIDTH) / 10;
  expect(attentionOperations(layers, undefined, undefined, 10)).toEqual({
    macs: 2 * 55 * per,
    ace: 2 * 55 * per * 256,
    floatKeyShare: 1,
  });
  // Queries of 4 bits against keys of 4 bits in 1.5 steps; probabilities of 16 against values of 4 bits in 4 steps.
  const values = 55 * 16 * 4 * 4;
  expect(attentionOperations(layers, kv('token'), steps, 10).ace).toBeCloseTo(
    per * (55 * 4 * 4 * 1.5 + values),
    6,
  );
  // 23 of the 55 keys are float.
  const scores = 32 * 4 * 4 * 1.5 + 23 * 4 * 16;
  expect(attentionOperations(layers, kv('block'), steps, 10).ace).toBeCloseTo(per * (scores + values), 6);
});

test('the effort of attention of a model has the steps of its own cache', async () => {
  const config = kv('token');
  const tensors = memorySource(toyTensors(config));
  using decoder = await loadToy(toyTensors(config), config);
  const options = { config: toyConfig(config), tensors, window: 10 };
  const { uncounted } = await countOperations(decoder, someIds(20), options);
  // Steps 4, 2, 2 and five of 1 in 8 channels.
  const mean = 13 / 8;
  const per = (layers.length * WIDTH * 55) / 10;
  expect(uncounted.attention.ace).toBeCloseTo(per * (16 * mean + 64 * mean), 6);
});

test('effort in relation to one step is that of the products, not of mean steps', async () => {
  const config = spiking({ weights: { kind: 'ternary', steps: [1, 3] } });
  const tensors = memorySource(toyTensors(config));
  const report = await describeModel(toyConfig(config), tensors);
  const { aceRatio } = modelCost(toyConfig(config), report);
  using decoder = await loadToy(toyTensors(config), config);
  const counted = await countOperations(decoder, someIds(20), {
    config: toyConfig(config),
    tensors,
    window: 10,
  });
  expect(aceRatio).toBeCloseTo(counted.total.dense / counted.total.macs, 12);
  expect(aceRatio).not.toBeCloseTo(report.total.averageSteps! * report.total.averageWeightSteps!, 3);
});
