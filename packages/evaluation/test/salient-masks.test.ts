import { memorySource, TINY_CONFIGS } from '@spikellm/fixtures';
import { parseModel } from '@spikellm/graph';
import { expect, test } from 'vitest';
import { salientMasks } from '../src/index.ts';
import { floatConfig, spiking, toyConfig, toyTensors } from './toy.ts';

test('the masks of a layer are those of its linears, then of its cache', async () => {
  const config = spiking({ kv: { key: 'block' } });
  const masks = await salientMasks(toyConfig(config), memorySource(toyTensors(config)));
  expect(masks).toHaveLength(2 * (7 + 2));
  expect(masks[0]).toEqual({
    layer: 0,
    name: 'self_attn.q_proj',
    channels: 16,
    salient: [0, 1, 2],
    steps: [4, 2, 2],
  });
  expect(masks[8]).toMatchObject({ layer: 0, name: 'self_attn.value_cache', salient: [0, 1, 2] });
});

test('a router has none, and the linears of every expert have theirs', async () => {
  const config = spiking({});
  const json = { ...TINY_CONFIGS.mixtral, quantization_config: config };
  const masks = await salientMasks(json, memorySource(toyTensors(config, parseModel(TINY_CONFIGS.mixtral))));
  const names = masks.filter(({ layer }) => layer === 0).map(({ name }) => name);
  expect(names).toHaveLength(4 + 3 * 3);
  expect(names).toContain('block_sparse_moe.experts.2.w3');
  expect(names).not.toContain('block_sparse_moe.gate');
});

test('a float model has none', async () => {
  expect(await salientMasks(floatConfig, memorySource(toyTensors()))).toEqual([]);
});
