import { expect, test } from 'vitest';
import { createRunner, gatherOrder, maxCode, type DeviceTensor } from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { hostTensor, salientNames, stepClasses } from '@spikellm/graph';
import { spikeStatistics } from '../src/index.ts';
import { loadToy, someIds, someSteps, spiking, toyTensors } from './toy.ts';

/** Trains of the codes, spike by spike: each step emits as much as it can. */
function trains(code: number, steps: number, most: number): number[] {
  let left = code;
  return Array.from({ length: steps }, () => {
    const spike = Math.min(left, most);
    left -= spike;
    return spike;
  });
}

test.each(['lossless', 'saturating'] as const)(
  '%s: counts equal those of the trains, spike by spike',
  async (range) => {
    const config = spiking({ activations: { bits: 2, range } });
    const tensors = toyTensors(config);
    using decoder = await loadToy(tensors, config);
    const ids = someIds(20);
    const result = await spikeStatistics(decoder, ids, {
      tensors: memorySource(tensors),
      window: 8,
      maxWindows: 2,
    });
    expect(result).toMatchObject({ tokens: 16, windows: 2 });

    // The same inputs, encoded and unrolled here.
    const inputs = new Map<string, DeviceTensor[]>();
    using cache = decoder.createCache(8);
    using runner = createRunner(decoder.backend);
    const steps = someSteps(24);
    const encode = runner.prepare(
      'gif_encode_f32',
      { bits: 2, range, classes: stepClasses(steps) },
      { steps: hostTensor('uint8', steps) },
    );
    for (const window of [ids.slice(0, 8), ids.slice(8, 16)]) {
      cache.reset();
      const input = (layer: number, group: string, x: DeviceTensor): void => {
        if (group !== 'down') return;
        const found = inputs.get(`${layer}`) ?? [];
        inputs.set(`${layer}`, [...found, runner.apply(encode, { x }).codes]);
      };
      decoder.forward(window, cache, { logits: 'last', observers: { input } }).dispose();
    }
    const order = gatherOrder(steps);
    for (const [layer, tapped] of inputs) {
      const codes: number[] = [];
      for (const tensor of tapped) codes.push(...((await decoder.backend.read(tensor)).data as Uint8Array));
      const spikes = codes.flatMap((code, i) => trains(code, steps[order[i % 24]], 3));
      const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
      const entry = result.inputs.find((input) => input.layer === Number(layer) && input.group === 'down')!;
      expect(entry.linears).toEqual(['mlp.down_proj']);
      expect(entry.firingRate).toBeCloseTo(mean(spikes) / 3, 12);
      expect(entry.silent).toBeCloseTo(spikes.filter((spike) => spike === 0).length / spikes.length, 12);
      expect(entry.averageCode).toBeCloseTo(mean(codes), 12);
      expect(entry.averageSteps).toBe((4 + 2 + 2 + 21) / 24);
      expect(Math.max(...codes)).toBeLessThanOrEqual(maxCode({ bits: 2, range }, 4));
    }
  },
);

test('linears with the same salient channels are one input, others are their own', async () => {
  const config = spiking({});
  const tensors = toyTensors(config);
  const { channels, steps } = salientNames('model.layers.0.self_attn.q_proj');
  tensors.delete(channels);
  tensors.delete(steps);
  using decoder = await loadToy(tensors, config);
  const { inputs } = await spikeStatistics(decoder, someIds(8), {
    tensors: memorySource(tensors),
    window: 8,
  });
  const groups = inputs.map(({ layer, linears }) => `${layer} ${linears.join(' ')}`);
  expect(groups).toContain('0 self_attn.q_proj');
  expect(groups).toContain('0 self_attn.k_proj self_attn.v_proj');
  expect(groups).toContain('1 self_attn.q_proj self_attn.k_proj self_attn.v_proj');
  expect(inputs).toHaveLength(9);
  expect(inputs[0].averageSteps).toBe(1);
});

test('the total is the mean over all activations', async () => {
  const config = spiking({});
  const tensors = toyTensors(config);
  using decoder = await loadToy(tensors, config);
  const { inputs, ...total } = await spikeStatistics(decoder, someIds(8), {
    tensors: memorySource(tensors),
    window: 8,
  });
  const width: Readonly<Record<string, number>> = { qkv: 16, o: 16, gate_up: 16, down: 24 };
  const codes = inputs.reduce((sum, { averageCode, group }) => sum + averageCode * width[group], 0);
  expect(total.averageCode).toBeCloseTo(codes / (2 * (3 * 16 + 24)), 12);
});

test('leaves nothing on the device and refuses a float decoder', async () => {
  const config = spiking({});
  const tensors = toyTensors(config);
  using decoder = await loadToy(tensors, config);
  const before = decoder.backend.liveBytes;
  await spikeStatistics(decoder, someIds(16), { tensors: memorySource(tensors), window: 8 });
  expect(decoder.backend.liveBytes).toBe(before);

  const float = toyTensors();
  using plain = await loadToy(float);
  await expect(
    spikeStatistics(plain, someIds(8), { tensors: memorySource(float), window: 8 }),
  ).rejects.toThrow('expected a decoder whose activations spike');
});
