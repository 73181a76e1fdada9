import { describe, expect, test, vi } from 'vitest';
import { describeModel } from '../src/index.ts';
import { memorySource, randomTensors, TINY_CONFIGS } from '@spikellm/fixtures';
import { globalWeights, hostTensor, layerWeights, parseModel } from '@spikellm/graph';
import { loadToy, spiking, toyConfig, toyTensors } from './toy.ts';

const describeToy = (config?: ReturnType<typeof spiking>) =>
  describeModel(toyConfig(config), memorySource(toyTensors(config)));

describe('a spiking model', () => {
  const config = spiking({});

  test('every byte of a linear counts', async () => {
    const { linears } = await describeToy(config);
    const query = linears.find(({ layer, name }) => layer === 1 && name === 'self_attn.q_proj')!;
    // 16 x 16 codes of 4 bits, a float32 scale and an int16 zero point a row, 3 int32 channels with uint8 steps.
    expect(query.bytes).toBe(128 + 16 * 6 + 3 * 5);
    expect(query.bitsPerWeight).toBe((8 * query.bytes) / 256);
    expect(query.salientChannels).toBe(3);
    expect(query.averageSteps).toBe((4 + 2 + 2 + 13) / 16);
    expect(query.transmittedBits).toBe((4 * 21) / 16);
    expect(query.informationBits).toBe(4 + (2 + 1 + 1) / 16);
  });

  test('the total weighs linears by their weights and activations by their channels', async () => {
    const { linears, total, bytes } = await describeToy(config);
    expect(linears).toHaveLength(14);
    // Per layer: q, o 16 x 16; k, v 8 x 16; gate, up 24 x 16; down 16 x 24.
    expect(total.weights).toBe(2 * (2 * 256 + 2 * 128 + 3 * 384));
    expect(total.inputChannels).toBe(2 * (6 * 16 + 24));
    expect(total.salientChannels).toBe(14 * 3);
    expect(total.averageSteps).toBe(1 + (14 * 5) / total.inputChannels);
    expect(total.bitsPerWeight).toBe((8 * bytes.linears) / total.weights);
  });

  test('bytes add up to the file, and a tensor that is not read is seen', async () => {
    const tensors = toyTensors(config);
    tensors.set('rotary.inv_freq', hostTensor('float32', new Float32Array(5)));
    const { bytes } = await describeModel(toyConfig(config), memorySource(tensors));
    expect(bytes).toMatchObject({
      other: 20,
      norms: 5 * 16 * 4,
      embeddings: 2 * 40 * 16 * 4,
      biases: 0,
      kvLists: 60,
    });
    const { total, ...parts } = bytes;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(total);
  });
});

test('ternary weights take two bits a trit, and their scales and steps', async () => {
  const { linears, total } = await describeToy(spiking({ weights: { kind: 'ternary', steps: [1, 3] } }));
  const query = linears.find(({ layer, name }) => layer === 1 && name === 'self_attn.q_proj')!;
  // 16 rows of 15 + 3 trits in 5 bytes, two float32 scales a row, 16 weight steps, 3 int32 channels with uint8 steps.
  expect(query.bytes).toBe(16 * 5 + 16 * 8 + 16 + 3 * 5);
  expect(query.averageWeightSteps).toBe(18 / 16);
  // Two more trits for each output of each linear: 16 + 8 + 8 + 16 + 24 + 24 + 16 outputs a layer.
  expect(total.averageWeightSteps).toBeCloseTo(1 + (2 * 2 * 112) / total.weights, 12);
  expect((await describeToy(spiking({}))).total.averageWeightSteps).toBeNull();
});

test('ternary weights with steps of their own take a map, and groups take scales', async () => {
  const weights = { kind: 'ternary', steps: [1, 3], unit: 'element', group: 7 } as const;
  const { linears } = await describeToy(spiking({ weights }));
  const query = linears.find(({ layer, name }) => layer === 1 && name === 'self_attn.q_proj')!;
  // Of 256 weights 52 are salient: 256 bits, 256 + 2 52 trits of 2 bits; 16 rows of 2 x 3 float32 scales.
  expect(query.bytes).toBe(32 + (256 + 104) / 4 + 16 * 6 * 4 + 3 * 5);
  expect(query.averageWeightSteps).toBeCloseTo(1 + (2 * 52) / 256, 12);
});

test('packed embeddings count their codes, scales and zero points', async () => {
  const config = { ...spiking({}), embeddings: { bits: 8 } };
  const tensors = toyTensors(config);
  for (const prefix of ['model.embed_tokens', 'lm_head']) {
    tensors.delete(`${prefix}.weight`);
    tensors.set(`${prefix}.weight_codes`, hostTensor('uint8', new Uint8Array(40 * 16), [40, 16]));
    tensors.set(`${prefix}.weight_scale`, hostTensor('float32', new Float32Array(40).fill(1)));
    tensors.set(`${prefix}.weight_zero`, { type: 'int16', data: new Int16Array(40), dims: [40] });
  }
  const { bytes, embeddingBits } = await describeModel(toyConfig(config), memorySource(tensors));
  expect(bytes.embeddings).toBe(2 * 40 * (16 + 4 + 2));
  expect(embeddingBits).toBe(8 + (8 * 6) / 16);
  expect((await describeToy()).embeddingBits).toBe(32);
  tensors.delete('lm_head.weight_zero');
  await expect(describeModel(toyConfig(config), memorySource(tensors))).rejects.toThrow(
    'lm_head.weight_zero',
  );
});

test('uniform steps give the published means', async () => {
  const config = spiking({ activations: { bits: 3 } });
  const tensors = toyTensors(config);
  for (const [name, { data }] of tensors) if (name.endsWith('salient_steps')) (data as Uint8Array).fill(2);
  const { total } = await describeModel(toyConfig(config), memorySource(tensors));
  const [n, T, p] = [3, 2, total.salientChannels / total.inputChannels];
  expect(total.transmittedBits).toBeCloseTo(n * (1 - p + p * T), 12);
  expect(total.informationBits).toBeCloseTo(n + p * Math.log2(T), 12);
});

test('float activations have no steps', async () => {
  const { total } = await describeToy(spiking({ activations: { bits: 16 } }));
  expect(total).toMatchObject({
    salientChannels: 0,
    averageSteps: null,
    transmittedBits: 32,
    informationBits: 32,
  });
  expect(total.bitsPerWeight).toBeLessThan(16);
});

test('a float model', async () => {
  const report = await describeToy();
  expect(report.spiking).toBeNull();
  expect(report.total).toMatchObject({ bitsPerWeight: 32, averageSteps: null, salientChannels: 0 });
  expect(report.kv).toEqual({
    key: 'float',
    salientChannels: 0,
    averageSteps: null,
    informationBits: 32,
    storedBits: 32,
  });
});

test.each(Object.values(TINY_CONFIGS))(
  'a float model of family $model_type reads all of its tensors',
  async (config) => {
    const model = parseModel(config);
    const weights = [...globalWeights(model), ...model.layers.flatMap(layerWeights)];
    const { bytes, total } = await describeModel(config, memorySource(randomTensors(weights)));
    const sizeOf = (...roles: string[]): number =>
      weights
        .filter(({ role }) => roles.includes(role))
        .reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b), 0);
    expect(bytes).toMatchObject({ linears: sizeOf('linear'), biases: sizeOf('bias'), other: 0 });
    const embeddings = sizeOf('table', 'position', 'projection');
    expect(bytes).toMatchObject({ norms: sizeOf('norm'), embeddings });
    expect(total.bitsPerWeight).toBe(32);
  },
);

describe('the KV cache', () => {
  test.each(['token', 'block', 'float'] as const)(
    '%s: stored bits are those of a real cache',
    async (key) => {
      const config = spiking({ kv: { key } });
      const { kv, config: decoderConfig } = await describeToy(config);
      using decoder = await loadToy(toyTensors(config), config);
      const { liveBytes } = decoder.backend;
      using cache = decoder.createCache(decoderConfig.contextLength);
      const { cos, sin } = cache.angles.rope;
      const tables = 4 * (cos.dims[0] * cos.dims[1] + sin.dims[0] * sin.dims[1]);
      const bytes = decoder.backend.liveBytes - liveBytes - tables;
      const { layers, contextLength, kvHeads, headSize } = decoderConfig;
      expect(kv.storedBits).toBeCloseTo((8 * bytes) / (layers * 2 * contextLength * kvHeads * headSize), 12);
    },
  );

  test('its channels have steps of their own', async () => {
    const { kv } = await describeToy(spiking({ kv: { key: 'block', bits: 4 } }));
    expect(kv).toMatchObject({
      key: 'block',
      salientChannels: 12,
      averageSteps: 13 / 8,
      informationBits: 4.5,
    });
  });

  test('the published key quantiser ranks the channels of all query heads and keeps nothing', async () => {
    const { kv } = await describeToy(spiking({ kv: { key: 'whole' } }));
    expect(kv).toMatchObject({ averageSteps: 21 / 16, storedBits: null });
  });
});

test('a model that contradicts its config is refused', async () => {
  const tensors = toyTensors();
  const name = 'model.layers.1.mlp.up_proj.weight';
  tensors.set(name, hostTensor('float32', new Float32Array(16), [16]));
  await expect(describeModel(toyConfig(), memorySource(tensors))).rejects.toThrow(
    `${name}: expected [24, 16]`,
  );
  tensors.delete(name);
  await expect(describeModel(toyConfig(), memorySource(tensors))).rejects.toThrow(`expected tensor ${name}`);
});

test.for<[string, object]>([
  ['hidden_size', { hidden_size: 2 ** 17, head_dim: 4 }],
  ['intermediate_size', { intermediate_size: 2 ** 17 }],
])('%s is held against the tensors before a list is as long', async ([, field]) => {
  const tensors = toyTensors(spiking({}));
  const fill = vi.spyOn(Uint8Array.prototype, 'fill');
  const described = describeModel({ ...toyConfig(spiking({})), ...field }, memorySource(tensors));
  await expect(described).rejects.toThrow(/as config\.json has it/);
  for (const list of fill.mock.contexts) expect((list as Uint8Array).length).toBeLessThan(1000);
  fill.mockRestore();
});
