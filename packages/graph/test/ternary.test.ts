/** Decoders with ternary spiking weights, against the same weights in float and in packed codes. */
import { createReferenceBackend, packCodes, packTrits, type HostTensor } from '@spikellm/backend';
import { expect, it } from 'vitest';
import {
  hostTensor,
  layerLinears,
  loadDecoder,
  packedNames,
  parseDecoderConfig,
  ternaryNames,
} from '../src/index.ts';
import { createRandom } from '../src/random.ts';
import {
  largestDifference,
  logitsOf,
  sourceOf,
  spikingJson,
  spikingTensors,
  TINY_CONFIG,
  tinyIds,
  type Tensors,
} from './tiny.ts';

type Kind = 'ternary' | 'packed' | 'float';

/** The tiny spiking model with weights of one and three steps, carried in one of three ways. */
function tensorsOf(kind: Kind, key: 'block' | 'float', scaleOf: (o: number, T: number) => number): Tensors {
  const tensors = spikingTensors(TINY_CONFIG, key);
  const random = createRandom(3);
  const config = parseDecoderConfig(TINY_CONFIG);
  for (const { prefix, outputs, inputs } of [0, 1].flatMap((index) => layerLinears(config, index))) {
    const steps = Uint8Array.from({ length: inputs }, () => (random.real() < 0.7 ? 1 : 3));
    const k = Int8Array.from({ length: outputs * inputs }, (_, i) => {
      const T = steps[i % inputs];
      return random.integer(-T, T);
    });
    for (const name of Object.values(packedNames(prefix))) tensors.delete(name);
    const set = (name: string, tensor: HostTensor): void => void tensors.set(name, tensor);
    const rows = <T>(of: (o: number) => T): T[] => Array.from({ length: outputs }, (_, o) => of(o));
    if (kind === 'float') {
      const w = Float32Array.from(
        k,
        (value, i) => value * scaleOf(Math.floor(i / inputs), steps[i % inputs]),
      );
      set(`${prefix}.weight`, hostTensor('float32', w, [outputs, inputs]));
    } else if (kind === 'packed') {
      const names = packedNames(prefix);
      const codes = packCodes(
        Uint8Array.from(k, (value) => value + 8),
        outputs,
        inputs,
        4,
      );
      set(names.codes, hostTensor('uint8', codes, [outputs, inputs / 2]));
      set(names.scale, hostTensor('float32', Float32Array.from(rows((o) => scaleOf(o, 1)))));
      set(names.zero, { type: 'int16', data: new Int16Array(outputs).fill(8), dims: [outputs] });
    } else {
      const names = ternaryNames(prefix);
      const trits = packTrits(k, outputs, steps);
      const scale = Float32Array.from(rows((o) => [scaleOf(o, 1), scaleOf(o, 3)]).flat());
      set(names.steps, hostTensor('uint8', steps));
      set(names.trits, hostTensor('uint8', trits, [outputs, trits.length / outputs]));
      set(names.scale, hostTensor('float32', scale, [outputs, 2]));
    }
  }
  return tensors;
}

/** Logits of some text, in these chunks. */
async function logits(
  kind: Kind,
  { key, bits }: { readonly key: 'block' | 'float'; readonly bits: number },
  scaleOf: (o: number, T: number) => number,
  ...chunks: number[]
): Promise<Float32Array[]> {
  using backend = createReferenceBackend();
  const json = spikingJson(key);
  const quantization_config = {
    ...json,
    activations: { ...json.activations, bits },
    weights: kind === 'ternary' ? { kind: 'ternary', steps: [1, 3] } : json.weights,
  };
  const config = kind === 'float' ? TINY_CONFIG : { ...TINY_CONFIG, quantization_config };
  using decoder = await loadDecoder({ backend, config, tensors: sourceOf(tensorsOf(kind, key, scaleOf)) });
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

it('refuses trits, steps and scales that are none, and says where', async () => {
  const load = async (change: (tensors: Tensors, prefix: string) => void): Promise<string> => {
    using backend = createReferenceBackend();
    const tensors = tensorsOf('ternary', 'float', own);
    change(tensors, 'model.layers.1.mlp.up_proj');
    const quantization_config = { ...spikingJson('float'), weights: { kind: 'ternary', steps: [1, 3] } };
    const config = { ...TINY_CONFIG, quantization_config };
    return await loadDecoder({ backend, config, tensors: sourceOf(tensors) }).then(
      () => 'loaded',
      (error: Error) => error.message,
    );
  };
  const set = (name: 'trits' | 'steps' | 'scale', value: number) =>
    load((tensors, prefix) => {
      const { type, data, dims } = tensors.get(ternaryNames(prefix)[name])!;
      const changed = (data as Uint8Array).slice();
      changed[2] = value;
      tensors.set(ternaryNames(prefix)[name], { type, data: changed, dims });
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
  expect(await load((tensors, prefix) => tensors.delete(ternaryNames(prefix).trits))).toContain(
    'expected tensor model.layers.1.mlp.up_proj.weight_trits, received a model without it',
  );
});
