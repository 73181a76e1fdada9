import type { HostTensor } from '@spikellm/backend';
import { expect, it } from 'vitest';
import { parseDecoderConfig, readSteps, type TensorSource } from '../src/index.ts';
import { readLinear } from '../src/linear.ts';
import { layerLinears } from '../src/registry.ts';
import { parseSpikingConfig } from '../src/spiking-config.ts';

const source = (tensors: Record<string, HostTensor>): TensorSource => ({
  info: (name) => (name in tensors ? { dtype: '', shape: tensors[name].dims } : undefined),
  read: async (name) => tensors[name],
});
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

it('refuses a scale that is not above 0', async () => {
  const [entry] = layerLinears(
    parseDecoderConfig({
      model_type: 'llama',
      hidden_size: 2,
      intermediate_size: 2,
      num_hidden_layers: 1,
      num_attention_heads: 1,
      vocab_size: 2,
    }),
    0,
  );
  const { prefix } = entry;
  const tensors = source({
    [`${prefix}.weight_codes`]: { type: 'uint8', dims: [2, 1], data: new Uint8Array(2) },
    [`${prefix}.weight_scale`]: { type: 'float32', dims: [2], data: Float32Array.of(1, -1) },
    [`${prefix}.weight_zero`]: { type: 'int32', dims: [2], data: new Int32Array(2) },
  });
  const spiking = parseSpikingConfig({
    quantization_config: {
      quant_method: 'spikellm',
      format_version: 1,
      weights: { bits: 4 },
      activations: { bits: 4, steps: 1, range: 'lossless' },
      kv: { key: 'float', bits: 4, block: 32 },
    },
  });
  await expect(readLinear(tensors, entry, spiking)).rejects.toThrow(
    `${prefix}.weight_scale: expected scales above 0, received -1.`,
  );
});
