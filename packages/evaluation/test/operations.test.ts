import { describe, expect, test } from 'vitest';
import {
  createRunner,
  gatherOrder,
  unpackTrits,
  type DeviceTensor,
  type HostTensor,
} from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import {
  hostTensor,
  stepClasses,
  type Decoder,
  type SpikingConfig,
  type TernarySettings,
} from '@spikellm/graph';
import {
  countOperations,
  ENERGY_45NM,
  tokenSpikes,
  type BinaryWeights,
  type EnergyTable,
} from '../src/index.ts';
import { loadToy, someIds, someSteps, spiking, toyConfig, toyTensors } from './toy.ts';

const WINDOW = 8;

async function countToy(config?: SpikingConfig, energy?: EnergyTable, standsFor?: BinaryWeights) {
  const tensors = toyTensors(config);
  using decoder = await loadToy(tensors, config);
  const live = decoder.backend.liveBytes;
  const report = await countOperations(decoder, someIds(20), {
    config: toyConfig(config),
    tensors: memorySource(tensors),
    window: WINDOW,
    energy,
    standsFor,
  });
  expect(decoder.backend.liveBytes).toBe(live);
  return report;
}

/** Codes [tokens][C] at the input of down_proj of layer 1, in channel order. */
async function downCodes(decoder: Decoder, config: SpikingConfig): Promise<number[][]> {
  const steps = someSteps(24);
  const { bits, range } = config.activations;
  using runner = createRunner(decoder.backend);
  const constants = { steps: hostTensor('uint8', steps) };
  const encode = runner.prepare('gif_encode_f32', { bits, range, classes: stepClasses(steps) }, constants);
  const order = gatherOrder(steps);
  const rows: number[][] = [];
  const ids = someIds(20);
  for (const window of [ids.slice(0, WINDOW), ids.slice(WINDOW, 2 * WINDOW)]) {
    using cache = decoder.createCache(WINDOW);
    const seen: DeviceTensor[] = [];
    const input = (layer: number, group: string, x: DeviceTensor): void => {
      if (layer === 1 && group === 'down') seen.push(runner.apply(encode, { x }).codes);
    };
    decoder.forward(window, cache, { logits: 'last', observers: { input } }).dispose();
    const codes = (await decoder.backend.read(seen[0])).data as Uint8Array;
    for (let n = 0; n < WINDOW; n++) {
      const row = Array.from({ length: 24 }, () => 0);
      order.forEach((channel, i) => (row[channel] = codes[n * 24 + i]));
      rows.push(row);
    }
  }
  return rows;
}

/** Levels of each step, greedy. */
const trainOf = (code: number, T: number, most: number): number[] =>
  Array.from({ length: T }, (_, t) => Math.max(0, Math.min(most, code - t * most)));

/** T of each weight of down_proj of the toy, [16, 24]. */
function weightSteps(tensors: ReadonlyMap<string, HostTensor>, prefix: string): number[] {
  const ofChannels = tensors.get(`${prefix}.weight_steps`)?.data as Uint8Array | undefined;
  return Array.from({ length: 16 * 24 }, (_, i) => ofChannels?.[i % 24] ?? (i % 5 === 0 ? 3 : 1));
}
/** k of each of those weights, read trit by trit where they have steps of their own. */
function weightCounts(tensors: ReadonlyMap<string, HostTensor>, prefix: string): ArrayLike<number> {
  const trits = tensors.get(`${prefix}.weight_trits`)!.data as Uint8Array;
  const ofChannels = tensors.get(`${prefix}.weight_steps`)?.data as Uint8Array | undefined;
  if (ofChannels) return unpackTrits(trits, 16, ofChannels);
  const k = Array<number>(16 * 24).fill(0);
  let at = 0;
  for (let o = 0; o < 16; o++) {
    for (let t = 0; t < 3; t++) {
      for (let i = 24 * o; i < 24 * (o + 1); i++) {
        if (t > 0 && i % 5 !== 0) continue;
        k[i] += ((trits[Math.floor(at / 4)] >> (2 * (at % 4))) & 3) - 1;
        at++;
      }
    }
  }
  return k;
}

describe('counts equal those of all products of a real text, one by one', () => {
  test.each(['codes', 'trits', 'elements'])('weights as %s', async (kind) => {
    const weights = {
      codes: undefined,
      trits: { kind: 'ternary', steps: [1, 3] },
      elements: { kind: 'ternary', steps: [1, 3], unit: 'element' },
    }[kind] as TernarySettings | undefined;
    const config = spiking({ ...(weights && { weights }), activations: { bits: 2 } });
    const tensors = toyTensors(config);
    using decoder = await loadToy(tensors, config);
    const report = await countToy(config);
    const down = report.linears.find(({ layer, name }) => layer === 1 && name === 'mlp.down_proj')!;

    const prefix = 'model.layers.1.mlp.down_proj';
    const steps = weights && weightSteps(tensors, prefix);
    const k = weights && weightCounts(tensors, prefix);
    const codes = await downCodes(decoder, config);
    let [dense, skipped, additions, fired, couldFire] = [0, 0, 0, 0, 0];
    for (const row of codes) {
      row.forEach((code, c) => {
        for (const level of trainOf(code, someSteps(24)[c], 3)) {
          fired += level;
          couldFire += 3;
          for (let o = 0; o < 16; o++) {
            const trits = steps && k ? trainOf(Math.abs(k[o * 24 + c]), steps[o * 24 + c], 1) : [1];
            for (const trit of trits) {
              dense++;
              if (level === 0 || trit === 0) skipped++;
              else additions += weights ? 1 : level;
            }
          }
        }
      });
    }
    expect(down.dense * codes.length).toBeCloseTo(dense, 6);
    expect(down.skipped * codes.length).toBeCloseTo(skipped, 6);
    expect(down.additions! * codes.length).toBeCloseTo(additions, 6);
    expect(down.multiplications).toBeCloseTo(weights ? 0 : down.dense - down.skipped, 9);
    expect(down.firingRate).toBeCloseTo(fired / couldFire, 12);
    expect(down.ace).toBe(down.dense * down.weightBits * 2);
    expect(down).toMatchObject({
      weightBits: weights ? 2 : 4,
      weightSteps: { codes: 1, trits: 26 / 24, elements: expect.closeTo(1 + (2 * 77) / 384, 12) }[kind],
      activationBits: 2,
      activationSteps: 29 / 24,
      macs: 16 * 24,
      // Inputs of 29 steps of 2 bits, three classes with a scale and a zero point, outputs of 16 bits.
      activationBytes: (29 * 2 + 3 * 64 + 16 * 16) / 8,
    });
    expect(report.tokens).toBe(2 * WINDOW);

    const spikes = await tokenSpikes(decoder, someIds(20).slice(0, WINDOW), {
      tensors: memorySource(tensors),
    });
    const last = spikes.find(({ layer, group }) => layer === 1 && group === 'down')!;
    expect(last.codes).toEqual(codes[WINDOW - 1]);
  });
});

test('a total is the sum of its linears; what is left out is said', async () => {
  const { linears, layers, total, uncounted } = await countToy(spiking({}));
  expect(linears).toHaveLength(14);
  expect(total.macs).toBe(2 * (2 * 256 + 2 * 128 + 3 * 384));
  for (const name of ['dense', 'skipped', 'additions', 'ace', 'weightBytes'] as const) {
    expect(total[name]).toBeCloseTo(
      linears.reduce((sum, linear) => sum + linear[name]!, 0),
      6,
    );
    expect(layers[0][name]! + layers[1][name]!).toBeCloseTo(total[name]!, 6);
  }
  // In the toy every linear of a group has the same steps, and every layer as many.
  expect((layers[0].firingRate! + layers[1].firingRate!) / 2).toBeCloseTo(total.firingRate!, 12);
  // Two layers, q k^T and P v, 16 channels, 4.5 positions on average.
  expect(uncounted).toMatchObject({ head: 16 * 40, attention: { macs: 2 * 2 * 16 * 4.5 } });
});

test('a float model runs nothing and is all multiply-accumulates of 16 bits', async () => {
  const { total, tokens, linears } = await countToy();
  expect(tokens).toBe(0);
  expect(total).toMatchObject({
    firingRate: null,
    dense: total.macs,
    skipped: 0,
    additions: null,
    ace: 256 * total.macs,
  });
  expect(total.energy.additive).toBeNull();
  expect(total.energy.dense).toBeCloseTo(2 * total.macs, 6);
  expect(linears[0]).toMatchObject({ weightBits: 16, activationBits: 16, firingRate: null });
});

test('trits against floats are additions only', async () => {
  const config = spiking({ weights: { kind: 'ternary', steps: [1, 3] }, activations: { bits: 16 } });
  const { total, linears } = await countToy(config);
  expect(total.multiplications).toBe(0);
  expect(total.additions).toBe(total.dense - total.skipped);
  expect(linears[0]).toMatchObject({ weightBits: 2, activationBits: 16 });
  expect(total.energy.additive).toBeCloseTo(0.9 * total.additions!, 6);
  expect(total.energy.dense).toBeCloseTo(0.9 * total.dense, 6);
});

test('a float model that stands for binary weights is counted as their digits, in their true bits', async () => {
  const standsFor = { bitsPerWeight: 2.9, steps: 1.7 };
  const [{ total, linears }, float] = [await countToy(undefined, undefined, standsFor), await countToy()];
  const { macs } = float.total;
  expect(total).toMatchObject({ macs, skipped: 0, multiplications: 0, firingRate: null });
  expect(total.dense).toBeCloseTo(1.7 * macs, 6);
  expect(total.additions).toBeCloseTo(1.7 * macs, 6);
  expect(total.ace).toBeCloseTo(1.7 * 16 * macs, 6);
  expect(total.weightBytes).toBeCloseTo((2.9 * macs) / 8, 6);
  expect(total.activationBytes).toBe(float.total.activationBytes);
  expect(total.energy.additive).toBeCloseTo(0.9 * 1.7 * macs, 6);
  expect(linears[0]).toMatchObject({
    weightBits: 1,
    weightSteps: 1.7,
    activationBits: 16,
    activationSteps: 1,
  });
  await expect(countToy(spiking({}), undefined, standsFor)).rejects.toThrow(
    'countOperations: expected a float model to stand for another, received a spiking one.',
  );
});

test('energies are counts times the figures of the table that is given', async () => {
  const price = { add: 3, multiply: 5 };
  const energy: EnergyTable = {
    source: 'made up',
    arithmetic: { int8: price, int32: { add: 0, multiply: 0 }, float16: { add: 0, multiply: 0 } },
    weightByte: 7,
    activationByte: 11,
  };
  const { total, energyTable } = await countToy(spiking({}), energy);
  expect(energyTable).toBe(energy);
  expect(total.energy.dense).toBeCloseTo(8 * total.dense, 6);
  expect(total.energy.events).toBeCloseTo(8 * (total.dense - total.skipped), 6);
  expect(total.energy.additive).toBeCloseTo(3 * total.additions!, 6);
  expect(total.energy.memory).toBeCloseTo(7 * total.weightBytes + 11 * total.activationBytes, 6);
});

test('the default table has the published figures, sums in 32 bits', () => {
  const { arithmetic, weightByte, activationByte } = ENERGY_45NM;
  expect(arithmetic).toEqual({
    int8: { add: 0.1, multiply: 0.2 },
    int32: { add: 0.1, multiply: 3.1 },
    float16: { add: 0.9, multiply: 1.1 },
  });
  expect([4 * weightByte, 4 * activationByte]).toEqual([640, 5]);
});

test('a text shorter than a window is refused before anything is run', async () => {
  const tensors = toyTensors();
  using decoder = await loadToy(tensors);
  const options = { config: toyConfig(), tensors: memorySource(tensors), window: 16 };
  await expect(countOperations(decoder, someIds(5), options)).rejects.toThrow('at least 16 tokens');
});
