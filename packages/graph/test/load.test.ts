import { createReferenceBackend } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { loadDecoder, type Observers } from '../src/index.ts';
import { floatTensors, loadFloat, spikingJson, spikingTensors, TINY_CONFIG, type Tensors } from './tiny.ts';

const load = (tensors: Tensors, config: object = TINY_CONFIG, signal = new AbortController().signal) =>
  loadDecoder({
    backend: createReferenceBackend(),
    config: config as typeof TINY_CONFIG,
    tensors: memorySource(tensors),
    signal,
  });
const spikingConfig = { ...TINY_CONFIG, quantization_config: spikingJson('token') };

describe('loadDecoder', () => {
  it('tells its progress after each layer', async () => {
    const seen: [number, number][] = [];
    using backend = createReferenceBackend();
    await loadDecoder({
      backend,
      config: TINY_CONFIG,
      tensors: memorySource(floatTensors(TINY_CONFIG)),
      onProgress: (done, total) => seen.push([done, total]),
    });
    expect(seen).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('names a missing tensor', async () => {
    const tensors = floatTensors(TINY_CONFIG);
    tensors.delete('model.layers.1.mlp.up_proj.weight');
    await expect(load(tensors)).rejects.toThrow(
      'model weights: expected tensor model.layers.1.mlp.up_proj.weight, received a model without it.',
    );
  });

  it('names a tensor of another shape', async () => {
    const tensors = floatTensors(TINY_CONFIG);
    tensors.set('model.norm.weight', { type: 'float32', dims: [15], data: new Float32Array(15) });
    await expect(load(tensors)).rejects.toThrow(
      'model.norm.weight: expected [16] as config.json has it, received [15].',
    );
  });

  it('refuses a salient channel that the linear does not have', async () => {
    const tensors = spikingTensors(spikingConfig, 'token');
    const prefix = 'model.layers.0.self_attn.q_proj';
    tensors.set(`${prefix}.salient_channels`, { type: 'int32', dims: [1], data: Int32Array.of(16) });
    tensors.set(`${prefix}.salient_steps`, { type: 'uint8', dims: [1], data: Uint8Array.of(2) });
    await expect(load(tensors, spikingConfig)).rejects.toThrow(
      `${prefix}.salient_channels: expected channels from 0 to 15, received 16.`,
    );
  });

  it('refuses salient lists of different lengths', async () => {
    const tensors = spikingTensors(spikingConfig, 'token');
    const prefix = 'model.layers.0.self_attn.value_cache';
    tensors.set(`${prefix}.salient_channels`, { type: 'int32', dims: [2], data: Int32Array.of(0, 1) });
    tensors.set(`${prefix}.salient_steps`, { type: 'uint8', dims: [1], data: Uint8Array.of(2) });
    await expect(load(tensors, spikingConfig)).rejects.toThrow(`${prefix}.salient_steps: expected [2]`);
  });

  it('stops when aborted, and frees what it has loaded', async () => {
    using backend = createReferenceBackend();
    const controller = new AbortController();
    const reason = new Error('enough');
    const loading = loadDecoder({
      backend,
      config: TINY_CONFIG,
      tensors: memorySource(floatTensors(TINY_CONFIG)),
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(loading).rejects.toBe(reason);
    expect(backend.liveBytes).toBe(0);
  });
});

it('shows each layer to observers: what linears read, and attention after RoPE', async () => {
  using backend = createReferenceBackend();
  using decoder = await loadFloat(backend);
  using cache = decoder.createCache(8);
  const seen: unknown[] = [];
  const observers: Observers = {
    input: (layer, site, x) => seen.push([layer, site, x.dims]),
    attention: (layer, q, k, v) => seen.push([layer, q.dims, k.dims, v.dims]),
  };
  decoder.forward([1, 2, 3], cache, { logits: 'last', observers }).dispose();
  const layer = (index: number): unknown[] => [
    [index, 'qkv', [3, 16]],
    [index, [3, 16], [3, 8], [3, 8]],
    [index, 'o', [3, 16]],
    [index, 'gate_up', [3, 16]],
    [index, 'down', [3, 24]],
  ];
  expect(seen).toEqual([...layer(0), ...layer(1)]);
});
