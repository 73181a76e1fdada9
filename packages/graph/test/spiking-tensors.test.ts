import type { HostTensor } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { expect, it } from 'vitest';
import { parseModel, parseSpikingConfig, readLayer, readSteps, salientTensors } from '../src/index.ts';
import { spikingJson, spikingTensors, TINY_CONFIG } from './tiny.ts';

const source = (tensors: Record<string, HostTensor>) => memorySource(new Map(Object.entries(tensors)));
const lists = (channel: number, steps: number) =>
  source({
    'p.salient_channels': { type: 'int32', dims: [1], data: Int32Array.of(channel) },
    'p.salient_steps': { type: 'uint8', dims: [1], data: Uint8Array.of(steps) },
  });

it('reads salient channels and refuses lists that no kernel takes', async () => {
  expect([...(await readSteps(lists(1, 4), 'p', 3))]).toEqual([1, 4, 1]);
  await expect(readSteps(lists(3, 4), 'p', 3)).rejects.toThrow(
    'p.salient_channels: expected channels from 0 to 2, received 3.',
  );
  await expect(readSteps(lists(1, 3), 'p', 3)).rejects.toThrow(
    'p.salient_steps: expected steps among 2, 4, 8, 16, received 3.',
  );
});

it('gives back the steps that it wrote, and writes none where no channel is salient', async () => {
  const steps = Uint8Array.of(1, 4, 1, 2, 16, 1);
  const written = Object.fromEntries(salientTensors('p', steps));
  expect(await readSteps(source(written), 'p', 6)).toEqual(steps);
  expect(salientTensors('p', new Uint8Array(6).fill(1))).toEqual([]);
  expect([...(await readSteps(source({}), 'p', 3))]).toEqual([1, 1, 1]);
});

/** The first layer of the tiny model, one of its tensors replaced. */
function readFirst(name: string, tensor: HostTensor) {
  const json = { ...TINY_CONFIG, quantization_config: spikingJson('float') };
  const tensors = spikingTensors(json, 'float').set(name, tensor);
  return readLayer(memorySource(tensors), parseModel(json).layers[0], parseSpikingConfig(json));
}
const PREFIX = 'model.layers.0.self_attn.q_proj';

it('refuses a scale that is not above 0', async () => {
  const data = new Float32Array(16).fill(1).fill(-1, 3, 4);
  await expect(readFirst(`${PREFIX}.weight_scale`, { type: 'float32', dims: [16], data })).rejects.toThrow(
    `${PREFIX}.weight_scale: expected scales above 0, received -1.`,
  );
});

it.each([
  { part: 'weight_codes', dims: [16, 8], want: 'uint8' },
  { part: 'weight_zero', dims: [16], want: 'int16' },
])('refuses $part that are no $want numbers', async ({ part, dims, want }) => {
  const data = new Int32Array(dims.reduce((a, b) => a * b));
  await expect(readFirst(`${PREFIX}.${part}`, { type: 'int32', dims, data })).rejects.toThrow(
    expect.objectContaining({
      code: 'DTYPE',
      message: `${PREFIX}.${part}: expected ${want} numbers, as docs/checkpoint.md has them, received int32.`,
    }),
  );
});
