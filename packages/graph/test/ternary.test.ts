/** Decoders with ternary spiking weights, against the same weights in float and in packed codes. */
import { createReferenceBackend, packCodes, packTrits } from '@spikellm/backend';
import { memorySource, seeded } from '@spikellm/fixtures';
import { expect, it } from 'vitest';
import {
  channelWeight,
  elementWeight,
  floatWeight,
  hostTensor,
  integerFormat,
  integerWeight,
  loadDecoder,
  packElements,
  parseModel,
  salientNames,
  type TernarySettings,
  type Weight,
} from '../src/index.ts';
import {
  largestDifference,
  linearsOf,
  loadTensors,
  logitsOf,
  spikingJson,
  spikingTensors,
  TINY_CONFIG,
  tinyIds,
  type Tensors,
} from './tiny.ts';

type Kind = 'ternary' | 'elements' | 'packed' | 'float';
/** Of an output, the steps of a weight and the group of its column. */
type ScaleOf = (o: number, T: number, group: number) => number;

/**
 * The tiny spiking model with weights of one and three steps, carried in one of four ways; `elements` are the same weights
 * with a map that marks all of a channel.
 */
function tensorsOf(kind: Kind, key: 'block' | 'float', scaleOf: ScaleOf, group = Infinity): Tensors {
  const tensors = spikingTensors(TINY_CONFIG, key);
  const random = seeded(3);
  for (const { prefix, outputs, inputs } of linearsOf(parseModel(TINY_CONFIG))) {
    const steps = Uint8Array.from({ length: inputs }, () => (random.real() < 0.7 ? 1 : 3));
    const k = Int8Array.from({ length: outputs * inputs }, (_, i) => {
      const T = steps[i % inputs];
      return random.integer(-T, T);
    });
    for (const name of integerFormat(4).names(prefix)) tensors.delete(name);
    const weight = weightOf(kind, { k, steps, outputs, scaleOf, group });
    for (const [name, tensor] of weight.tensors(prefix)) tensors.set(name, tensor);
    // A float model has no salient channels, and refuses lists of them.
    if (kind === 'float') for (const name of Object.values(salientNames(prefix))) tensors.delete(name);
  }
  return tensors;
}

/** One linear of weights k, each with the steps of its channel. */
interface Whole {
  readonly k: Int8Array;
  readonly steps: Uint8Array;
  readonly outputs: number;
  readonly scaleOf: ScaleOf;
  readonly group: number;
}

function weightOf(kind: Kind, { k, steps, outputs, scaleOf, group }: Whole): Weight {
  const inputs = steps.length;
  const rows = <T>(of: (o: number) => T): T[] => Array.from({ length: outputs }, (_, o) => of(o));
  if (kind === 'float') {
    const scale = (i: number): number =>
      scaleOf(Math.floor(i / inputs), steps[i % inputs], Math.floor((i % inputs) / group));
    const w = Float32Array.from(k, (value, i) => value * scale(i));
    return floatWeight(hostTensor('float32', w, [outputs, inputs]));
  }
  if (kind === 'packed') {
    const shifted = Uint8Array.from(k, (value) => value + 8);
    return integerWeight({
      bits: 4,
      inputs,
      codes: hostTensor('uint8', packCodes(shifted, outputs, inputs, 4), [outputs, inputs / 2]),
      scale: hostTensor('float32', Float32Array.from(rows((o) => scaleOf(o, 1, 0)))),
      zero: hostTensor('int32', new Int32Array(outputs).fill(8)),
    });
  }
  const groups = Array.from({ length: Math.ceil(inputs / Math.min(group, inputs)) }, (_, g) => g);
  const occurs = (T: number, g: number): boolean =>
    kind === 'elements' || steps.some((own, c) => own === T && Math.floor(c / group) === g);
  const classes = [1, 3].flatMap((T) => groups.flatMap((g) => (occurs(T, g) ? [{ T, g }] : [])));
  const scales = Float32Array.from(rows((o) => classes.map(({ T, g }) => scaleOf(o, T, g))).flat());
  const scale = hostTensor('float32', scales, [outputs, classes.length]);
  const settings: TernarySettings = {
    kind: 'ternary',
    steps: [1, 3],
    ...(Number.isFinite(group) && { group }),
    ...(kind === 'elements' && { unit: 'element' }),
  };
  if (kind === 'ternary') {
    const trits = packTrits(k, outputs, steps);
    return channelWeight(settings, {
      steps: hostTensor('uint8', steps),
      trits: hostTensor('uint8', trits, [outputs, trits.length / outputs]),
      scale,
    });
  }
  const map = Uint8Array.from(k, (_, i) => (steps[i % inputs] === 3 ? 1 : 0));
  const { salient, trits } = packElements(k, map, outputs, [1, 3]);
  return elementWeight(settings, inputs, {
    salient: hostTensor('uint8', salient, [outputs, salient.length / outputs]),
    trits: hostTensor('uint8', trits),
    scale,
  });
}

/** Logits of some text, in these chunks. */
async function logits(
  kind: Kind,
  { key, bits, group }: { readonly key: 'block' | 'float'; readonly bits: number; readonly group?: number },
  scaleOf: ScaleOf,
  ...chunks: number[]
): Promise<Float32Array[]> {
  using backend = createReferenceBackend();
  const json = spikingJson(key);
  const quantization_config = {
    ...json,
    activations: { ...json.activations, bits },
    weights: {
      ternary: { kind: 'ternary', steps: [1, 3], group },
      elements: { kind: 'ternary', steps: [1, 3], group, unit: 'element' },
      packed: json.weights,
      float: json.weights,
    }[kind],
  };
  const config = kind === 'float' ? TINY_CONFIG : { ...TINY_CONFIG, quantization_config };
  using decoder = await loadTensors(backend, config, tensorsOf(kind, key, scaleOf, group));
  const ids = tinyIds(chunks.reduce((sum, count) => sum + count, 0));
  return await logitsOf(decoder, ...chunks.map((count) => ids.splice(0, count)));
}

const own = (o: number, T: number): number => (0.2 + 0.01 * o) / T;
const ofRow = (o: number): number => 0.1 + 0.01 * o;

it('with float activations, is the float model of the same weights', async () => {
  const how = { key: 'float', bits: 16 } as const;
  const got = await logits('ternary', how, own, 7);
  expect(largestDifference(got, await logits('float', how, own, 7))).toBeLessThan(1e-4);
  expect(largestDifference(got, await logits('float', how, ofRow, 7))).toBeGreaterThan(0.1);
});

it('with spiking activations, is the spiking model of the same weights in packed codes', async () => {
  const how = { key: 'block', bits: 4 } as const;
  const got = await logits('ternary', how, ofRow, 7);
  expect(largestDifference(got, await logits('packed', how, ofRow, 7))).toBeLessThan(1e-4);
  expect(largestDifference(got, await logits('packed', { ...how, bits: 16 }, ofRow, 7))).toBeGreaterThan(
    1e-2,
  );
});

it.each([4, 16])(
  'gives tokens of one call what it gives them one by one, activations of %i bits',
  async (bits) => {
    const how = { key: 'block', bits } as const;
    const whole = await logits('ternary', how, own, 9);
    expect(largestDifference(await logits('ternary', how, own, 4, 1, 1, 1, 1, 1), whole)).toBeLessThan(1e-5);
  },
);

/** Scales that differ from group to group. */
const grouped: ScaleOf = (o, T, g) => (0.2 + 0.01 * o + 0.05 * g) / T;

// The tiny model has linears of 16 and 24 inputs: groups that divide them, that do not, of one column, and of all.
it.each([8, 7, 1, 16, 100])('with groups of %i columns, has a scale for each', async (group) => {
  const how = { key: 'float', bits: 16, group } as const;
  const want = await logits('float', how, grouped, 5);
  expect(largestDifference(await logits('ternary', how, grouped, 5), want)).toBeLessThan(1e-4);
  expect(largestDifference(await logits('elements', how, grouped, 5), want)).toBeLessThan(1e-4);
});

it('is the same model when a map marks whole channels', async () => {
  const how = { key: 'block', bits: 4, group: 7 } as const;
  const want = await logits('ternary', how, grouped, 7);
  expect(largestDifference(await logits('elements', how, grouped, 7), want)).toBeLessThan(1e-6);
  expect(largestDifference(await logits('elements', how, own, 7), want)).toBeGreaterThan(1e-2);
});

it('refuses scales of other groups than the config has', async () => {
  using backend = createReferenceBackend();
  const tensors = memorySource(tensorsOf('ternary', 'float', grouped, 8));
  for (const group of [undefined, 4]) {
    const weights = { kind: 'ternary', steps: [1, 3], group };
    const config = { ...TINY_CONFIG, quantization_config: { ...spikingJson('float'), weights } };
    await expect(loadDecoder({ backend, config, tensors })).rejects.toThrow(
      /weight_scale: expected .*received/,
    );
  }
});

it('refuses trits, steps and scales that are none, and says where', async () => {
  const load = async (change: (tensors: Tensors, prefix: string) => void): Promise<string> => {
    using backend = createReferenceBackend();
    const tensors = tensorsOf('ternary', 'float', own);
    change(tensors, 'model.layers.1.mlp.up_proj');
    const quantization_config = { ...spikingJson('float'), weights: { kind: 'ternary', steps: [1, 3] } };
    const config = { ...TINY_CONFIG, quantization_config };
    return await loadDecoder({ backend, config, tensors: memorySource(tensors) }).then(
      () => 'loaded',
      (error: Error) => error.message,
    );
  };
  const set = (part: 'trits' | 'steps' | 'scale', value: number) =>
    load((tensors, prefix) => {
      const name = `${prefix}.weight_${part}`;
      const { type, data, dims } = tensors.get(name)!;
      const changed = (data as Uint8Array).slice();
      changed[2] = value;
      tensors.set(name, { type, data: changed, dims });
    });
  expect(await set('trits', 0b11)).toBe(
    'model.layers.1.mlp.up_proj.weight_trits: expected trits stored as 0, 1 or 2, received 3 in byte 2.',
  );
  expect(await set('steps', 2)).toBe(
    'model.layers.1.mlp.up_proj.weight_steps: expected steps among 1, 3, as weights.steps of config.json has it, received 2 at channel 2.',
  );
  expect(await set('scale', 0)).toBe(
    'model.layers.1.mlp.up_proj.weight_scale: expected scales above 0, received 0.',
  );
  expect(await load((tensors, prefix) => tensors.delete(`${prefix}.weight_trits`))).toContain(
    'expected tensor model.layers.1.mlp.up_proj.weight_trits, received a model without it',
  );
});
